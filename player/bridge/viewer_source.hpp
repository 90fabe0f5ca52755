#pragma once

#include "player/bridge/media_source.hpp"

namespace ppsp::player {

/// A node of this process as a media source. The only place of the player that touches the node.
[[nodiscard]] std::unique_ptr<MediaSource> open_viewer_source(ViewerOptions options,
                                                              std::string& error);

} // namespace ppsp::player
