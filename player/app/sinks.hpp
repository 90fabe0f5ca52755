#pragma once

#include <gst/gst.h>

namespace ppsp::player {

/// A video sink whose window system answers, in state READY; nullptr where there is no display.
/// The caller owns a floating reference, as with every new element.
[[nodiscard]] GstElement* open_window_sink();

/// A sink that shows nothing but keeps time as a window would; `name` for log lines.
[[nodiscard]] GstElement* make_silent_sink(char const* name);

/// The machine's sound, or a silent sink where it has none.
[[nodiscard]] GstElement* make_sound_sink();

} // namespace ppsp::player
