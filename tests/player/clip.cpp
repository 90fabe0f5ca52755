#include "clip.hpp"

#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <optional>

namespace ppsp::player::test {
namespace {

constexpr std::size_t packet_size = 188;

void append(std::vector<std::uint8_t>& bytes, GstSample* sample)
{
    auto* const buffer = gst_sample_get_buffer(sample);
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_READ);
    bytes.insert(bytes.end(), map.data, map.data + map.size);
    gst_buffer_unmap(buffer, &map);
}

void expect_no_error(GstElement* pipeline)
{
    auto* const bus = gst_element_get_bus(pipeline);
    if (auto* const message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR)) {
        GError* error = nullptr;
        gst_message_parse_error(message, &error, nullptr);
        ADD_FAILURE() << error->message;
        g_error_free(error);
        gst_message_unref(message);
    }
    gst_object_unref(bus);
}

/// Runs `description`, feeding `input` to its appsrc named `in` if there is one; every sample of
/// the appsink named `out` goes to `take`.
template <typename Take>
void run(std::string const& description, std::vector<std::uint8_t> const* input, Take take)
{
    GError* error = nullptr;
    auto* const pipeline = gst_parse_launch(description.c_str(), &error);
    if (error) {
        ADD_FAILURE() << error->message;
        g_error_free(error);
        return;
    }
    auto* const out = gst_bin_get_by_name(GST_BIN(pipeline), "out");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    if (input) {
        auto* const in = gst_bin_get_by_name(GST_BIN(pipeline), "in");
        gst_app_src_push_buffer(GST_APP_SRC(in),
                                gst_buffer_new_memdup(input->data(), input->size()));
        gst_app_src_end_of_stream(GST_APP_SRC(in));
        gst_object_unref(in);
    }
    while (auto* const sample = gst_app_sink_try_pull_sample(GST_APP_SINK(out), 30 * GST_SECOND)) {
        take(sample);
        gst_sample_unref(sample);
    }
    EXPECT_TRUE(gst_app_sink_is_eos(GST_APP_SINK(out))) << "the pipeline hangs: " << description;
    expect_no_error(pipeline);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(out);
    gst_object_unref(pipeline);
}

/// Program clock reference of a transport packet in units of 1/90000 s (ISO 13818-1 §2.4.3.4).
std::optional<std::int64_t> clock_of(std::uint8_t const* packet)
{
    bool const has_adaptation = (packet[3] & 0x20) != 0 && packet[4] > 6;
    if (!has_adaptation || (packet[5] & 0x10) == 0) {
        return std::nullopt;
    }
    return (std::int64_t{packet[6]} << 25) | (std::int64_t{packet[7]} << 17) |
           (std::int64_t{packet[8]} << 9) | (std::int64_t{packet[9]} << 1) | (packet[10] >> 7);
}

} // namespace

std::vector<std::uint8_t> run_pipeline(std::string const& description)
{
    std::vector<std::uint8_t> bytes;
    run(description, nullptr, [&](GstSample* sample) { append(bytes, sample); });
    return bytes;
}

std::vector<std::uint8_t> make_clip(ClipFormat const& format)
{
    auto const size = "width=" + std::to_string(format.width) +
                      ",height=" + std::to_string(format.height) + ",framerate=25/1,format=I420";
    std::string description =
        "videotestsrc num-buffers=" + std::to_string(format.frames) + " pattern=" + format.pattern +
        " ! video/x-raw," + size +
        " ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=12 bitrate=600"
        " ! video/x-h264,profile=constrained-baseline ! queue ! mux."
        " mpegtsmux name=mux alignment=7 ! appsink name=out sync=false";
    if (format.has_sound) {
        // 1920 samples of 48 kHz are as long as one picture.
        description +=
            " audiotestsrc samplesperbuffer=1920 num-buffers=" + std::to_string(format.frames) +
            " ! audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! queue ! mux.";
    }
    return run_pipeline(description);
}

std::vector<std::uint8_t> last_picture_of_clip(std::vector<std::uint8_t> const& clip)
{
    std::vector<std::uint8_t> last;
    run("appsrc name=in caps=video/mpegts,systemstream=true ! tsdemux ! h264parse ! avdec_h264 ! "
        "videoconvert ! video/x-raw,format=RGB ! appsink name=out sync=false",
        &clip, [&](GstSample* sample) {
            last.clear();
            append(last, sample);
        });
    return last;
}

std::vector<std::uint8_t> picture_of_png(std::string const& path)
{
    return run_pipeline("filesrc location=" + path +
                        " ! pngdec ! videoconvert ! video/x-raw,format=RGB ! appsink name=out "
                        "sync=false");
}

double mean_absolute_difference(std::vector<std::uint8_t> const& left,
                                std::vector<std::uint8_t> const& right)
{
    EXPECT_EQ(left.size(), right.size()) << "pictures of different size";
    if (left.size() != right.size() || left.empty()) {
        return 255.0;
    }
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < left.size(); ++i) {
        sum += static_cast<std::uint64_t>(std::abs(int{left[i]} - int{right[i]}));
    }
    return static_cast<double>(sum) / static_cast<double>(left.size());
}

Feeder::Feeder(std::shared_ptr<FakeChannel> channel, std::vector<std::uint8_t> clip)
    : channel_(std::move(channel)), clip_(std::move(clip)), thread_([this] { run(); })
{}

Feeder::~Feeder() = default;

void Feeder::run()
{
    auto const start = std::chrono::steady_clock::now();
    std::optional<std::int64_t> first;
    std::size_t sent = 0;
    for (std::size_t at = 0; at + packet_size <= clip_.size(); at += packet_size) {
        auto const clock = clock_of(&clip_[at]);
        if (!clock) {
            continue;
        }
        if (!first) {
            first = clock;
        }
        channel_->push(std::vector<std::uint8_t>(clip_.begin() + static_cast<std::ptrdiff_t>(sent),
                                                 clip_.begin() + static_cast<std::ptrdiff_t>(at)));
        sent = at;
        std::this_thread::sleep_until(start +
                                      std::chrono::microseconds{(*clock - *first) * 100 / 9});
    }
    channel_->push(
        std::vector<std::uint8_t>(clip_.begin() + static_cast<std::ptrdiff_t>(sent), clip_.end()));
    channel_->end();
}

} // namespace ppsp::player::test
