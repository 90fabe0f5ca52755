#pragma once

#include "player/app/glass_to_glass.hpp"

#include <gst/gst.h>

#include <string>

namespace ppsp::player {

/// Writes the picture as PNG. The file appears whole or not at all: it is written beside its
/// place and then renamed. An empty string on success, else a sentence.
[[nodiscard]] std::string write_png(GstSample* sample, std::string const& path);

/// Reads the pixel clock of a picture that is being shown.
void measure(GlassToGlass& meter, GstBuffer* buffer, GstCaps* caps);

} // namespace ppsp::player
