-- What every load has: which request is sent, and one line of JSON at the end.
--
-- wrk ... -s report.lua URL -- KIND VALUE, where KIND is
--   get                    the URL as it is
--   close                  the URL, over a connection of its own each time
--   browser                the URL with the fields that a browser sends along
--   post FILE              the URL with the content of FILE
--   pipeline N             N requests at a time
--   spread N               the files 0.txt to N-1.txt of the folder that the URL names, in turn

-- Of Chromium, for a page that it was told to load again.
local BROWSER = {
   ["Connection"] = "keep-alive",
   ["Cache-Control"] = "max-age=0",
   ["sec-ch-ua"] = '"Chromium";v="140", "Not?A_Brand";v="24"',
   ["sec-ch-ua-mobile"] = "?0",
   ["sec-ch-ua-platform"] = '"Linux"',
   ["Upgrade-Insecure-Requests"] = "1",
   ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
   ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
   ["Sec-Fetch-Site"] = "same-origin",
   ["Sec-Fetch-Mode"] = "navigate",
   ["Sec-Fetch-User"] = "?1",
   ["Sec-Fetch-Dest"] = "document",
   ["Accept-Encoding"] = "gzip, deflate, br, zstd",
   ["Accept-Language"] = "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
   ["Cookie"] = "session=0123456789abcdef0123456789abcdef; theme=dark",
}

function init(arguments)
   local kind, value = arguments[1], arguments[2]
   if kind == "browser" then
      for name, text in pairs(BROWSER) do wrk.headers[name] = text end
      local request_with_them = wrk.format()
      request = function() return request_with_them end
   elseif kind == "close" then
      wrk.headers["Connection"] = "close"
      local request_that_closes = wrk.format()
      request = function() return request_that_closes end
   elseif kind == "post" then
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
