#pragma once

#include <string>

namespace ppsp::peer {

/// The gateway's page: a video where mpegts.js is at hand, otherwise links for players, and the
/// figures of `/status`.
[[nodiscard]] std::string gateway_page(std::string const& swarm, bool has_player_script);

/// The same for a recording: a player that can seek, where the browser knows the format.
[[nodiscard]] std::string recording_page(std::string const& swarm);

} // namespace ppsp::peer
