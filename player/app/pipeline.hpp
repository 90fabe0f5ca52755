#pragma once

#include "player/app/branch.hpp"
#include "player/app/glass_to_glass.hpp"
#include "player/app/play_options.hpp"

#include <gst/gst.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace ppsp::player {

/// `ppspsrc ! tsdemux`, and one branch for the first picture stream and one for the first sound
/// stream. Built by hand instead of by playbin: its buffering costs seconds.
class Pipeline {
public:
    /// Uses `window` (floating, in READY) for the picture, or silent sinks if it is nullptr.
    Pipeline(PlayOptions const& options, GstElement* window);
    ~Pipeline();
    Pipeline(Pipeline const&) = delete;
    Pipeline& operator=(Pipeline const&) = delete;

    /// Names what is not installed; empty if the pipeline is whole.
    [[nodiscard]] std::string const& missing() const { return missing_; }
    /// False if the source could not be opened; the bus has the reason.
    [[nodiscard]] bool play();
    /// Leaves the channel (at most 2 s).
    void stop();
    [[nodiscard]] GstBus* bus() const { return bus_; }
    void recalculate_latency() { gst_bin_recalculate_latency(GST_BIN(pipeline_)); }

    /// `play` to the first decoded picture.
    [[nodiscard]] std::optional<std::chrono::milliseconds> startup() const;
    [[nodiscard]] std::chrono::milliseconds running_time() const; ///< since `play`
    /// Anything was decoded, picture or sound.
    [[nodiscard]] bool has_output() const { return has_output_; }
    [[nodiscard]] std::uint64_t bytes_received() const { return bytes_received_; }

    struct Frames {
        std::uint64_t shown = 0;
        std::uint64_t dropped = 0;
    };
    [[nodiscard]] Frames frames() const;
    /// The picture on the screen; owned by the caller, nullptr if there was none.
    [[nodiscard]] GstSample* newest_picture() const;
    [[nodiscard]] std::string node_statistics() const;
    [[nodiscard]] std::optional<GlassToGlass::Summary> glass_to_glass() const;

    /// `object` is the sink that the pictures go to.
    [[nodiscard]] bool is_screen(GstObject* object) const;
    /// Goes on without sound if `failed` belongs to it; false if it does not.
    bool drop_sound(GstObject* failed);

private:
    static void on_pad_added(GstElement* demuxer, GstPad* pad, gpointer self);
    static GstPadProbeReturn on_source_data(GstPad* pad, GstPadProbeInfo* info, gpointer self);
    static void on_shown(GstElement* sink, GstBuffer* buffer, GstPad* pad, gpointer self);
    void apply(ViewerOptions const& options);
    void take_video(GstPad* pad);
    void take_audio(GstPad* pad);
    [[nodiscard]] GstElement* make_video_sink();
    [[nodiscard]] GstElement* video_sink() const;

    using SteadyClock = std::chrono::steady_clock;

    bool is_headless_;
    std::optional<GlassToGlass> meter_;
    std::string missing_;
    GstElement* pipeline_;         ///< owned
    GstElement* source_ = nullptr; ///< the pipeline's
    GstElement* window_ = nullptr; ///< owned until a picture stream appears
    GstBus* bus_ = nullptr;        ///< owned
    SteadyClock::time_point start_{};

    std::atomic<bool> is_over_{false};
    std::atomic<bool> has_output_{false};
    std::atomic<std::uint64_t> bytes_received_{0};
    std::atomic<std::int64_t> startup_ms_{-1};

    std::jthread warm_up_;

    mutable std::mutex mutex_; ///< guards the branches: pads come from a streaming thread
    std::unique_ptr<Branch> video_;
    std::unique_ptr<Branch> audio_;
    bool is_sound_given_up_ = false;
};

} // namespace ppsp::player
