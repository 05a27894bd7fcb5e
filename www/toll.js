// Measures, from the page toll.html, the two ways of running cgi-bin/toll.py. It asks for LANES pages at a
// time, and stops with MOST answers or after LONGEST milliseconds, whichever comes first.

const LANES = 2;
const MOST = 400;
const LONGEST = 3000;
const PATIENCE = 20000; // for a single answer, in milliseconds

const WAYS = { CGI: "/cgi-bin/toll.py", FastCGI: "/toll/" };

/** What is asked for and not given: the status, or why there is none. */
class Refused extends Error {
  constructor(way, status) {
    super(`${way} answered with status ${status}`);
    Object.assign(this, { way, status });
  }
}

/** Asks once; how many milliseconds it takes until the last byte is here. */
async function ask(way) {
  const start = performance.now();
  const response = await fetch(WAYS[way], { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  await response.text();
  if (!response.ok) throw new Refused(way, response.status);
  return performance.now() - start;
}

/** Asks again and again: the number of answers, the seconds that they took together, and of each the milliseconds. */
async function measure(way) {
  const times = [];
  const start = performance.now();
  let left = MOST;
  async function lane() {
    while (left > 0 && performance.now() - start < LONGEST) {
      left -= 1;
      try {
        times.push(await ask(way));
      } catch (error) {
        left = 0; // the other lanes need not go on
        throw error;
      }
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane));
  const seconds = (performance.now() - start) / 1000;
  times.sort((a, b) => a - b);
  // The time that this part of the answers did not exceed.
  const within = (part) => times[Math.max(0, Math.ceil(part * times.length) - 1)];
  return { count: times.length, seconds, rate: times.length / seconds, median: within(0.5), most: within(0.9) };
}

/** A number with two digits or more, as many as tell something. */
function shown(number) {
  const digits = number < 10 ? 1 : 0;
  return number.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

function fill(id, cells) {
  cells.forEach((text, index) => (document.getElementById(id).cells[index + 1].textContent = text));
}

function show(cgi, fastcgi) {
  const times = (slow, fast) => [`${shown(slow)} ms`, `${shown(fast)} ms`, `× ${shown(slow / fast)}`];
  fill("rate", [shown(cgi.rate), shown(fastcgi.rate), `× ${shown(fastcgi.rate / cgi.rate)}`]);
  fill("median", times(cgi.median, fastcgi.median));
  fill("most", times(cgi.most, fastcgi.most));
}

const button = document.getElementById("measure");
const status = document.getElementById("measured");
const figures = document.getElementById("figures");
const advice = document.getElementById("no-route");

button.addEventListener("click", async () => {
  button.disabled = true;
  figures.hidden = advice.hidden = true;
  try {
    // Once for nothing: to see that both are there, and because one may have to be started first.
    for (const way of Object.keys(WAYS)) await ask(way);
    const results = [];
    for (const way of Object.keys(WAYS)) {
      status.textContent = `Asking for ${WAYS[way]}, which is ${way} …`;
      results.push(await measure(way));
    }
    const [cgi, fastcgi] = results;
    show(cgi, fastcgi);
    status.textContent =
      `${cgi.count} answers in ${cgi.seconds.toFixed(1)} s by CGI, ` +
      `${fastcgi.count} in ${fastcgi.seconds.toFixed(1)} s by FastCGI.`;
    figures.hidden = false;
  } catch (error) {
    explain(error);
  }
  button.disabled = false;
});

function explain(error) {
  if (error.status === 404 && error.way === "FastCGI") {
    status.textContent = "CGI answers, but at /toll/ there is no FastCGI application.";
    advice.hidden = false;
  } else if (error.status === 404) {
    status.textContent = "There is no cgi-bin/toll.py here.";
  } else if (error.status === 501) {
    status.textContent = "toll.py needs Python, which is not installed here. On Debian: apt install python3";
  } else if (error instanceof Refused) {
    status.textContent = `${error.message}. The server’s log says why.`;
  } else {
    status.textContent = `There was no answer: ${error.message}`;
  }
}

button.hidden = false;
