#include "peer/shell/gateway_page.hpp"

#include <string_view>

namespace ppsp::peer {
namespace {

constexpr char const* head = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ppsp-peer</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
video { width: 100%; background: #000; }
code, pre { background: #eee; color: #111; padding: .1em .3em; }
td { padding-right: 2rem; }
</style></head><body>
<h1>ppsp-peer</h1>
)";

constexpr char const* player = R"(<video id="video" controls muted autoplay playsinline></video>
<p id="note"></p>
<script src="/mpegts.js"></script>
<script>
const note = document.getElementById("note");
if (window.mpegts && mpegts.isSupported()) {
  const player = mpegts.createPlayer(
    {type: "mpegts", isLive: true, url: location.origin + "/stream.ts"},
    {liveBufferLatencyChasing: true});
  player.attachMediaElement(document.getElementById("video"));
  player.load();
  player.play();
} else {
  note.textContent = "This browser cannot play MPEG-TS; use a player instead:";
}
</script>
)";

constexpr char const* links = R"(<p>Open the stream in a player:
<a href="/stream.ts">stream.ts</a></p>
<pre id="commands">vlc http://ADDRESS/stream.ts
mpv --profile=low-latency http://ADDRESS/stream.ts</pre>
<table id="status"></table>
<p><a href="/status">status</a> <a href="/metrics">metrics</a></p>
<script>
const commands = document.getElementById("commands");
commands.textContent = commands.textContent.replaceAll("ADDRESS", location.host);
async function refresh() {
  try {
    const figures = await (await fetch("/status")).json();
    const table = document.getElementById("status");
    table.textContent = "";
    for (const [key, value] of Object.entries(figures)) {
      const row = table.insertRow();
      row.insertCell().textContent = key;
      row.insertCell().textContent = typeof value === "object" ? JSON.stringify(value) : value;
    }
  } catch (error) { /* the program has ended */ }
}
refresh();
setInterval(refresh, 1000);
</script></body></html>
)";

constexpr char const* recording_player = R"(<video src="/recording" controls></video>
<p>Where the browser cannot play it, a player can:
<a href="/recording">recording</a></p>
)";

} // namespace

std::string gateway_page(std::string const& swarm, bool has_player_script)
{
    std::string page = head;
    page += "<p>Channel <code>" + swarm.substr(0, 16) + "...</code></p>\n";
    if (has_player_script) {
        page += player;
    }
    return page + links;
}

std::string recording_page(std::string const& swarm)
{
    std::string status = links;
    status.erase(0, status.find("<pre"));
    for (auto at = status.find("stream.ts"); at != std::string::npos;
         at = status.find("stream.ts")) {
        status.replace(at, std::string_view{"stream.ts"}.size(), "recording");
    }
    return head + ("<p>Recording " + swarm + "</p>") + recording_player + status;
}

} // namespace ppsp::peer
