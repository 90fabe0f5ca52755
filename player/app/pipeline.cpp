#include "player/app/pipeline.hpp"

#include "player/app/picture.hpp"
#include "player/app/sinks.hpp"

#include <array>
#include <string_view>

namespace ppsp::player {
namespace {

/// How far tsdemux lets media arrive out of time; its default of 700 ms would be added to what
/// the viewer waits. The node hands out a unit at once, 50 ms of media or a little more, and a
/// picture may end a unit later; with less than that half of the pictures come too late.
constexpr guint demuxer_latency_ms = 150;

std::string find_missing()
{
    static constexpr std::array needed{"ppspsrc",      "tsdemux",      "queue",        "decodebin",
                                       "videoconvert", "audioconvert", "audioresample"};
    std::string missing;
    for (auto const* const name : needed) {
        if (auto* const factory = gst_element_factory_find(name)) {
            gst_object_unref(factory);
        } else {
            missing += missing.empty() ? name : std::string{", "} + name;
        }
    }
    return missing;
}

bool starts_with(GstPad* pad, std::string_view media)
{
    auto* caps = gst_pad_get_current_caps(pad);
    if (caps == nullptr) {
        caps = gst_pad_query_caps(pad, nullptr);
    }
    bool const is_match =
        !gst_caps_is_empty(caps) && !gst_caps_is_any(caps) &&
        std::string_view{gst_structure_get_name(gst_caps_get_structure(caps, 0))}.starts_with(
            media);
    gst_caps_unref(caps);
    return is_match;
}

/// Loads the usual decoders from disk while the node still looks for peers: 0.2 s less between
/// the first byte and the first picture.
void load_decoders()
{
    static constexpr std::array usual{"h264parse", "avdec_h264", "aacparse", "avdec_aac"};
    for (auto const* const name : usual) {
        if (auto* const decoder = gst_element_factory_make(name, nullptr)) {
            gst_object_ref_sink(decoder);
            gst_object_unref(decoder);
        }
    }
}

} // namespace

Pipeline::Pipeline(PlayOptions const& options, GstElement* window)
    : is_headless_(window == nullptr), missing_(find_missing()),
      pipeline_(gst_pipeline_new("play")), window_(window)
{
    gst_object_ref_sink(pipeline_);
    bus_ = gst_element_get_bus(pipeline_);
    if (window_) {
        gst_object_ref_sink(window_);
    }
    if (options.measure_clock) {
        meter_.emplace();
    }
    if (!missing_.empty()) {
        return;
    }
    source_ = gst_element_factory_make("ppspsrc", "source");
    auto* const demuxer = gst_element_factory_make("tsdemux", "demuxer");
    g_object_set(demuxer, "latency", demuxer_latency_ms, nullptr);
    apply(options.node);
    gst_bin_add_many(GST_BIN(pipeline_), source_, demuxer, nullptr);
    gst_element_link(source_, demuxer);
    g_signal_connect(demuxer, "pad-added", G_CALLBACK(on_pad_added), this);

    auto* const pad = gst_element_get_static_pad(source_, "src");
    auto const watched = static_cast<GstPadProbeType>(GST_PAD_PROBE_TYPE_BUFFER |
                                                      GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM);
    gst_pad_add_probe(pad, watched, on_source_data, this, nullptr);
    gst_object_unref(pad);
}

Pipeline::~Pipeline()
{
    stop();
    video_.reset();
    audio_.reset();
    if (window_) {
        gst_element_set_state(window_, GST_STATE_NULL);
        gst_object_unref(window_);
    }
    gst_object_unref(bus_);
    gst_object_unref(pipeline_);
}

void Pipeline::apply(ViewerOptions const& options)
{
    g_object_set(source_, "location", options.link.c_str(), "listen", options.listen.c_str(),
                 "latency-ms", options.latency ? static_cast<guint>(options.latency->count()) : 0u,
                 "upload-kbps",
                 options.upload_kbps ? static_cast<gint64>(*options.upload_kbps) : gint64{-1},
                 "join-timeout", static_cast<guint>(options.join_timeout.count()), "strict",
                 options.strict ? TRUE : FALSE, "forgive-link-loss",
                 options.forgive_link_loss ? TRUE : FALSE, "peers", options.peers ? TRUE : FALSE,
                 "cache-token", options.cache_token.c_str(), nullptr);
}

bool Pipeline::play()
{
    start_ = SteadyClock::now();
    warm_up_ = std::jthread{load_decoders};
    return gst_element_set_state(pipeline_, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
}

void Pipeline::stop()
{
    gst_element_set_state(pipeline_, GST_STATE_NULL);
}

std::optional<std::chrono::milliseconds> Pipeline::startup() const
{
    auto const ms = startup_ms_.load();
    return ms < 0 ? std::nullopt : std::optional{std::chrono::milliseconds{ms}};
}

std::chrono::milliseconds Pipeline::running_time() const
{
    return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start_);
}

Pipeline::Frames Pipeline::frames() const
{
    Frames frames;
    auto* const sink = video_sink();
    if (sink == nullptr) {
        return frames;
    }
    GstStructure* stats = nullptr;
    g_object_get(sink, "stats", &stats, nullptr);
    gst_structure_get_uint64(stats, "rendered", &frames.shown);
    gst_structure_get_uint64(stats, "dropped", &frames.dropped);
    gst_structure_free(stats);
    return frames;
}

GstSample* Pipeline::newest_picture() const
{
    auto* const sink = video_sink();
    GstSample* sample = nullptr;
    if (sink) {
        g_object_get(sink, "last-sample", &sample, nullptr);
    }
    return sample;
}

std::string Pipeline::node_statistics() const
{
    gchar* json = nullptr;
    g_object_get(source_, "stats", &json, nullptr);
    std::string text = json ? json : "";
    g_free(json);
    return text;
}

std::optional<GlassToGlass::Summary> Pipeline::glass_to_glass() const
{
    return meter_ ? std::optional{meter_->summary()} : std::nullopt;
}

bool Pipeline::is_screen(GstObject* object) const
{
    auto* const sink = video_sink();
    return sink != nullptr && GST_OBJECT(sink) == object;
}

bool Pipeline::drop_sound(GstObject* failed)
{
    std::unique_ptr<Branch> sound;
    {
        std::scoped_lock const lock{mutex_};
        if (!audio_ || !audio_->contains(failed)) {
            return false;
        }
        is_sound_given_up_ = true;
        sound.swap(audio_);
    }
    return true; // the branch leaves the pipeline here, outside the lock
}

void Pipeline::on_pad_added(GstElement*, GstPad* pad, gpointer self)
{
    auto* const pipeline = static_cast<Pipeline*>(self);
    if (starts_with(pad, "video/")) {
        pipeline->take_video(pad);
    } else if (starts_with(pad, "audio/")) {
        pipeline->take_audio(pad);
    }
}

GstPadProbeReturn Pipeline::on_source_data(GstPad*, GstPadProbeInfo* info, gpointer self)
{
    auto* const pipeline = static_cast<Pipeline*>(self);
    if (GST_PAD_PROBE_INFO_TYPE(info) & GST_PAD_PROBE_TYPE_BUFFER) {
        pipeline->bytes_received_ += gst_buffer_get_size(gst_pad_probe_info_get_buffer(info));
    } else if (GST_EVENT_TYPE(gst_pad_probe_info_get_event(info)) == GST_EVENT_EOS) {
        pipeline->is_over_ = true;
    }
    return GST_PAD_PROBE_OK;
}

void Pipeline::on_shown(GstElement*, GstBuffer* buffer, GstPad* pad, gpointer self)
{
    auto* const caps = gst_pad_get_current_caps(pad);
    measure(*static_cast<Pipeline*>(self)->meter_, buffer, caps);
    if (caps) {
        gst_caps_unref(caps);
    }
}

GstElement* Pipeline::make_video_sink()
{
    if (window_) {
        auto* const window = window_;
        window_ = nullptr;
        g_object_force_floating(G_OBJECT(window)); // our reference becomes the bin's
        return window;
    }
    auto* const sink = make_silent_sink("screen");
    if (meter_) {
        g_object_set(sink, "signal-handoffs", TRUE, nullptr);
        g_signal_connect(sink, "handoff", G_CALLBACK(on_shown), this);
    }
    return sink;
}

void Pipeline::take_video(GstPad* pad)
{
    std::scoped_lock const lock{mutex_};
    if (video_) {
        (void)video_->relink(pad);
        return;
    }
    auto const on_decoded = [this] {
        startup_ms_ = running_time().count();
        has_output_ = true;
    };
    video_ = std::make_unique<Branch>(Branch::Kind::video, make_video_sink(), on_decoded, is_over_);
    (void)video_->attach(GST_BIN(pipeline_), pad);
}

void Pipeline::take_audio(GstPad* pad)
{
    std::scoped_lock const lock{mutex_};
    if (is_sound_given_up_) {
        return;
    }
    if (audio_) {
        (void)audio_->relink(pad);
        return;
    }
    auto* const sink = is_headless_ ? make_silent_sink("silence") : make_sound_sink();
    audio_ = std::make_unique<Branch>(
        Branch::Kind::audio, sink, [this] { has_output_ = true; }, is_over_);
    (void)audio_->attach(GST_BIN(pipeline_), pad);
}

GstElement* Pipeline::video_sink() const
{
    std::scoped_lock const lock{mutex_};
    return video_ ? video_->sink() : nullptr;
}

} // namespace ppsp::player
