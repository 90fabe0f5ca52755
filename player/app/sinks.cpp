#include "player/app/sinks.hpp"

#include <array>
#include <cstdlib>

namespace ppsp::player {
namespace {

/// How late a picture may be shown. A late picture tells a viewer of a live channel more than
/// none, but a machine that cannot keep up must be able to catch up.
constexpr gint64 lateness_max = 100 * GST_MSECOND;

bool is_set(char const* variable)
{
    auto const* const value = std::getenv(variable);
    return value != nullptr && *value != '\0';
}

/// The element in READY, or nullptr if it is not installed or finds no window system.
GstElement* try_window(char const* factory)
{
    auto* const sink = gst_element_factory_make(factory, "window");
    if (sink == nullptr) {
        return nullptr;
    }
    if (gst_element_set_state(sink, GST_STATE_READY) == GST_STATE_CHANGE_SUCCESS) {
        g_object_set(sink, "max-lateness", lateness_max, nullptr);
        return sink;
    }
    gst_element_set_state(sink, GST_STATE_NULL);
    gst_object_ref_sink(sink);
    gst_object_unref(sink);
    return nullptr;
}

} // namespace

GstElement* open_window_sink()
{
    struct Candidate {
        char const* factory;
        char const* variable; ///< says that the window system is there
    };
    static constexpr std::array candidates{Candidate{"waylandsink", "WAYLAND_DISPLAY"},
                                           Candidate{"xvimagesink", "DISPLAY"},
                                           Candidate{"ximagesink", "DISPLAY"}};
    for (auto const& candidate : candidates) {
        if (!is_set(candidate.variable)) {
            continue;
        }
        if (auto* const sink = try_window(candidate.factory)) {
            return sink;
        }
    }
    return nullptr;
}

GstElement* make_silent_sink(char const* name)
{
    auto* const sink = gst_element_factory_make("fakesink", name);
    if (sink) {
        g_object_set(sink, "sync", TRUE, "qos", TRUE, "max-lateness", lateness_max, nullptr);
    }
    return sink;
}

GstElement* make_sound_sink()
{
    if (auto* const sink = gst_element_factory_make("autoaudiosink", "sound")) {
        return sink;
    }
    return make_silent_sink("silence");
}

} // namespace ppsp::player
