#pragma once

#include "fake_channel.hpp"

#include <gst/gst.h>

#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace ppsp::player::test {

/// Runs a gst-launch description to its end and returns the bytes that its appsink named `out`
/// gave. An error fails the test.
[[nodiscard]] std::vector<std::uint8_t> run_pipeline(std::string const& description);

struct ClipFormat {
    int width = 640;
    int height = 360;
    int frames = 50; ///< at 25 per second
    char const* pattern = "smpte";
    bool has_sound = true;
};

/// A transport stream: H.264 with a keyframe every half second, and AAC.
[[nodiscard]] std::vector<std::uint8_t> make_clip(ClipFormat const& format);

/// The last picture of a transport stream, or of a PNG file, as tightly packed RGB.
[[nodiscard]] std::vector<std::uint8_t> last_picture_of_clip(std::vector<std::uint8_t> const& clip);
[[nodiscard]] std::vector<std::uint8_t> picture_of_png(std::string const& path);

[[nodiscard]] double mean_absolute_difference(std::vector<std::uint8_t> const& left,
                                              std::vector<std::uint8_t> const& right);

/// Pushes a clip into a channel at the speed of its own clock (PCR), then ends the channel.
/// Joins its thread when destroyed.
class Feeder {
public:
    Feeder(std::shared_ptr<FakeChannel> channel, std::vector<std::uint8_t> clip);
    ~Feeder();
    Feeder(Feeder const&) = delete;
    Feeder& operator=(Feeder const&) = delete;

private:
    void run();

    std::shared_ptr<FakeChannel> channel_;
    std::vector<std::uint8_t> clip_;
    std::jthread thread_;
};

} // namespace ppsp::player::test
