#pragma once

#include <string>

namespace ppsp::peer {

/// The gateway's page: a video where mpegts.js is at hand, otherwise links for players, and the
/// figures of `/status`.
[[nodiscard]] std::string gateway_page(std::string const& swarm, bool has_player_script);

} // namespace ppsp::peer
