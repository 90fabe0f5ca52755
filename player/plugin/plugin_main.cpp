#include "player/bridge/viewer_source.hpp"
#include "player/plugin/ppspsrc.hpp"

/// GST_PLUGIN_DEFINE wants to know the package that the plugin comes from.
#define PACKAGE "ppsp"

namespace {

gboolean init_plugin(GstPlugin* plugin)
{
    return ppsp::player::register_ppspsrc(plugin, ppsp::player::open_viewer_source) ? TRUE : FALSE;
}

} // namespace

// The version is the plugin's own: `gst-inspect-1.0 --exists` takes nothing below 1.0.
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, ppsp,
                  "Live peer-to-peer video (RFC 7574 PPSPP)", init_plugin, "1.0.0",
                  GST_LICENSE_UNKNOWN, "ppsp", "https://www.rfc-editor.org/rfc/rfc7574")
