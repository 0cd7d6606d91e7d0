-- wrk's part: posts one body again and again, and prints what came of it as a line of JSON.
-- Arguments: the file with the body, then headers as NAME VALUE NAME VALUE …
-- With RATE in the environment requests leave at random times, so many a second on average, whatever the answers do;
-- whichever connection is free takes the next. Where none is, a request leaves late, by late_ms at worst.
local ffi = require("ffi")
ffi.cdef("typedef struct { long s; long us; } timeval; int gettimeofday(timeval *, void *);")
local clock = ffi.new("timeval")
late_ms = 0

local function milliseconds()
  ffi.C.gettimeofday(clock, nil)
  return tonumber(clock.s) * 1000 + tonumber(clock.us) / 1000
end

local function schedule(rate)
  local due = milliseconds()
  math.randomseed(due % 1e6)
  return function()
    due = due - math.log(1 - math.random()) * 1000 / rate
    local wait = due - milliseconds()
    late_ms = math.max(late_ms, -wait)
    return math.max(0, math.floor(wait + 0.5))
  end
end

local thread

function setup(only)
  thread = only
end

function init(arguments)
  if os.getenv("RATE") then
    delay = schedule(tonumber(os.getenv("RATE")))
  end
  local file = assert(io.open(arguments[1], "rb"))
  wrk.method = "POST"
  wrk.body = file:read("*a")
  file:close()
  for i = 2, #arguments, 2 do
    wrk.headers[arguments[i]] = arguments[i + 1]
  end
  request_bytes = wrk.format()
end

function request()
  return request_bytes
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    '{"requests_per_second": %.1f, "p50_ms": %.3f, "p99_ms": %.3f, "max_ms": %.3f, "failed": %d, '
    .. '"refused": %d, "late_ms": %.1f}\n',
    summary.requests / (summary.duration / 1e6), latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    latency.max / 1000, e.connect + e.read + e.write + e.timeout + e.status, e.status,
    thread:get("late_ms")))
end
