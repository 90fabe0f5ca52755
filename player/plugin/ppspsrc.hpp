#pragma once

#include "player/bridge/media_source.hpp"

#include <gst/gst.h>

namespace ppsp::player {

/// Registers the element `ppspsrc`: with `plugin` from a plugin's entry point, without it (nullptr)
/// for this process only, so that no GST_PLUGIN_PATH is needed. Every element opens its media with
/// `open`; a later call replaces it for elements made afterwards. Call after gst_init.
[[nodiscard]] bool register_ppspsrc(GstPlugin* plugin, MediaSourceFactory open);

/// Name of the element message posted once the node listens; string fields `swarm` (hex) and
/// `udp` (`HOST:PORT`).
inline constexpr char const* joined_message = "ppsp-joined";

} // namespace ppsp::player
