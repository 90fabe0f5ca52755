#pragma once

#include <gst/gst.h>

#include <atomic>
#include <functional>

namespace ppsp::player {

/// One elementary stream on its way to a sink: `queue ! decodebin ! convert... ! sink`, as one bin
/// with a sink pad. It outlives the demuxer's pads: when a channel comes back with other streams,
/// the new pad is linked to the same branch and the window stays.
class Branch {
public:
    enum class Kind { video, audio };

    /// Takes the floating `sink`. `on_decoded` is called once, from a streaming thread, when the
    /// first decoded buffer comes. Ends of stream pass only once `is_over` is true.
    Branch(Kind kind, GstElement* sink, std::function<void()> on_decoded,
           std::atomic<bool> const& is_over);
    ~Branch();
    Branch(Branch const&) = delete;
    Branch& operator=(Branch const&) = delete;

    /// Adds the branch to `pipeline`, which is running, and links it to `pad`.
    [[nodiscard]] bool attach(GstBin* pipeline, GstPad* pad);
    /// Takes `pad` in place of the pad it was linked to, unless that one is of the same program:
    /// then `pad` is a second picture or sound, which nobody plays.
    [[nodiscard]] bool relink(GstPad* pad);
    /// Leaves the pipeline; other branches go on.
    void detach();

    [[nodiscard]] bool contains(GstObject* object) const;
    [[nodiscard]] GstElement* sink() const { return sink_; }

private:
    static void on_pad_added(GstElement* decoder, GstPad* pad, gpointer self);
    static GstPadProbeReturn on_first_buffer(GstPad* pad, GstPadProbeInfo* info, gpointer self);
    static GstPadProbeReturn on_event(GstPad* pad, GstPadProbeInfo* info, gpointer self);
    [[nodiscard]] GstElement* add_converters(Kind kind);

    std::function<void()> on_decoded_;
    std::atomic<bool> const& is_over_;
    GstElement* bin_;                 ///< owned
    GstElement* sink_;                ///< the bin's
    GstPad* after_decoder_ = nullptr; ///< owned
};

} // namespace ppsp::player
