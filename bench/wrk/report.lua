-- What every load has: which request is sent, and one line of JSON at the end.
--
-- wrk ... -s report.lua URL -- KIND VALUE, where KIND is
--   get                    the URL as it is
--   post FILE              the URL with the content of FILE
--   pipeline N             N requests at a time
--   spread N               the files 0.txt to N-1.txt of the folder that the URL names, in turn

function init(arguments)
   local kind, value = arguments[1], arguments[2]
   if kind == "post" then
      local file = assert(io.open(value, "rb"))
      wrk.method = "POST"
      wrk.body = file:read("*a")
      file:close()
   elseif kind == "pipeline" then
      local requests = string.rep(wrk.format(), tonumber(value))
      request = function() return requests end
   elseif kind == "spread" then
      local count, folder, requests = tonumber(value), wrk.path, {}
      for number = 0, count - 1 do
         requests[number] = wrk.format(nil, folder .. number .. ".txt")
      end
      -- Each thread begins somewhere else, and takes steps of a prime so that neighbours are not neighbours.
      local next_one = math.random(0, count - 1)
      request = function()
         next_one = (next_one + 7919) % count
         return requests[next_one]
      end
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      '\nresult {"requests": %d, "seconds": %.6f, "bytes": %d, "p50": %.3f, "p99": %.3f, "max": %.3f, '
         .. '"connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
      summary.requests, summary.duration / 1e6, summary.bytes,
      latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3,
      errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
