#include "player/app/branch.hpp"

#include <string>
#include <utility>

namespace ppsp::player {
namespace {

/// Compressed media waits here until its picture is due: longer than any latency we aim at, and
/// in bytes what that is at 25 Mbit/s.
constexpr guint64 queue_time_max = 5 * GST_SECOND;
constexpr guint queue_bytes_max = 16 * 1024 * 1024;

/// tsdemux names its pads KIND_PROGRAM_PID and counts programs up when the channel changes.
std::string program_of(GstPad* pad)
{
    auto* const name = gst_pad_get_name(pad);
    std::string program = name;
    g_free(name);
    return program.substr(0, program.rfind('_'));
}

} // namespace

Branch::Branch(Kind kind, GstElement* sink, std::function<void()> on_decoded,
               std::atomic<bool> const& is_over)
    : on_decoded_(std::move(on_decoded)), is_over_(is_over),
      bin_(gst_bin_new(kind == Kind::video ? "video" : "audio")), sink_(sink)
{
    gst_object_ref_sink(bin_);
    auto* const queue = gst_element_factory_make("queue", nullptr);
    auto* const decoder = gst_element_factory_make("decodebin", nullptr);
    g_object_set(queue, "max-size-time", queue_time_max, "max-size-bytes", queue_bytes_max,
                 "max-size-buffers", 0u, nullptr);
    gst_bin_add_many(GST_BIN(bin_), queue, decoder, sink_, nullptr);
    gst_element_link(queue, decoder);

    auto* const converters = add_converters(kind);
    after_decoder_ = gst_element_get_static_pad(converters, "sink");
    g_signal_connect(decoder, "pad-added", G_CALLBACK(on_pad_added), this);

    auto* const entry = gst_element_get_static_pad(queue, "sink");
    gst_pad_add_probe(entry, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, this, nullptr);
    gst_element_add_pad(bin_, gst_ghost_pad_new("sink", entry));
    gst_object_unref(entry);
}

Branch::~Branch()
{
    detach();
    gst_object_unref(after_decoder_);
    gst_object_unref(bin_);
}

/// Returns the first element after the decoder; the last one is linked to the sink.
GstElement* Branch::add_converters(Kind kind)
{
    auto* const first =
        gst_element_factory_make(kind == Kind::video ? "videoconvert" : "audioconvert", nullptr);
    gst_bin_add(GST_BIN(bin_), first);
    if (kind == Kind::video) {
        gst_element_link(first, sink_);
        return first;
    }
    auto* const resample = gst_element_factory_make("audioresample", nullptr);
    gst_bin_add(GST_BIN(bin_), resample);
    gst_element_link_many(first, resample, sink_, nullptr);
    return first;
}

bool Branch::attach(GstBin* pipeline, GstPad* pad)
{
    return gst_bin_add(pipeline, bin_) && relink(pad) && gst_element_sync_state_with_parent(bin_);
}

bool Branch::relink(GstPad* pad)
{
    auto* const entry = gst_element_get_static_pad(bin_, "sink");
    if (auto* const before = gst_pad_get_peer(entry)) {
        bool const is_second_stream = program_of(before) == program_of(pad);
        if (!is_second_stream) {
            gst_pad_unlink(before, entry);
        }
        gst_object_unref(before);
        if (is_second_stream) {
            gst_object_unref(entry);
            return true;
        }
    }
    bool const is_linked = gst_pad_link(pad, entry) == GST_PAD_LINK_OK;
    gst_object_unref(entry);
    return is_linked;
}

void Branch::detach()
{
    auto* const entry = gst_element_get_static_pad(bin_, "sink");
    if (auto* const before = gst_pad_get_peer(entry)) {
        gst_pad_unlink(before, entry);
        gst_object_unref(before);
    }
    gst_object_unref(entry);
    gst_element_set_locked_state(bin_, TRUE);
    gst_element_set_state(bin_, GST_STATE_NULL);
    if (auto* const parent = gst_object_get_parent(GST_OBJECT(bin_))) {
        gst_bin_remove(GST_BIN(parent), bin_);
        gst_object_unref(parent);
    }
}

bool Branch::contains(GstObject* object) const
{
    return gst_object_has_as_ancestor(object, GST_OBJECT(bin_)) != FALSE;
}

void Branch::on_pad_added(GstElement*, GstPad* pad, gpointer self)
{
    auto* const branch = static_cast<Branch*>(self);
    if (gst_pad_is_linked(branch->after_decoder_)) {
        return;
    }
    if (gst_pad_link(pad, branch->after_decoder_) == GST_PAD_LINK_OK) {
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_first_buffer, self, nullptr);
    }
}

GstPadProbeReturn Branch::on_first_buffer(GstPad*, GstPadProbeInfo*, gpointer self)
{
    static_cast<Branch*>(self)->on_decoded_();
    return GST_PAD_PROBE_REMOVE;
}

/// A demuxer ends a stream that its channel no longer has; for the branch that is a pause.
GstPadProbeReturn Branch::on_event(GstPad*, GstPadProbeInfo* info, gpointer self)
{
    auto* const event = gst_pad_probe_info_get_event(info);
    bool const is_pause =
        GST_EVENT_TYPE(event) == GST_EVENT_EOS && !static_cast<Branch*>(self)->is_over_;
    return is_pause ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

} // namespace ppsp::player
