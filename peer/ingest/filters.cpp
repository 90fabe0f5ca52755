#include "peer/ingest/filters.hpp"

extern "C" {
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/channel_layout.h>
#include <libavutil/pixdesc.h>
}

#include "peer/ingest/timeline.hpp"

#include <algorithm>
#include <array>
#include <new>

namespace ppsp::ingest {
namespace {

std::string const time_base = "time_base=1/" + std::to_string(ticks_per_second);

} // namespace

bool Filters::filter(AVFrame& frame, FrameSink const& sink)
{
    if (sound_ && frame.ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
        av_channel_layout_default(&frame.ch_layout, frame.ch_layout.nb_channels);
    }
    std::string source = source_of(frame);
    if (!graph_ || source != source_) {
        source_ = std::move(source);
        if (!build()) {
            graph_.reset();
            return false;
        }
    }
    if (av_buffersrc_add_frame_flags(input_, &frame, AV_BUFFERSRC_FLAG_KEEP_REF) < 0) {
        return false;
    }
    FramePtr const made = make_frame();
    while (av_buffersink_get_frame(output_, made.get()) >= 0) {
        made->pts = av_rescale_q(made->pts, av_buffersink_get_time_base(output_),
                                 {1, static_cast<int>(ticks_per_second)});
        sink(*made);
        av_frame_unref(made.get());
    }
    return true;
}

std::string Filters::source_of(AVFrame const& frame) const
{
    if (picture_) {
        return "buffer@in=width=" + std::to_string(frame.width) +
               ":height=" + std::to_string(frame.height) +
               ":pix_fmt=" + std::to_string(frame.format) + ":" + time_base +
               ":sar=" + std::to_string(frame.sample_aspect_ratio.num) + "/" +
               std::to_string(std::max(1, frame.sample_aspect_ratio.den));
    }
    std::array<char, 128> layout{};
    av_channel_layout_describe(&frame.ch_layout, layout.data(), layout.size());
    return "abuffer@in=sample_rate=" + std::to_string(frame.sample_rate) +
           ":sample_fmt=" + std::to_string(frame.format) + ":channel_layout=" + layout.data() +
           ":" + time_base;
}

std::string Filters::conversion() const
{
    if (picture_) {
        std::string const size =
            std::to_string(picture_->width) + ":" + std::to_string(picture_->height);
        return "scale=" + size + ":force_original_aspect_ratio=decrease,pad=" + size +
               ":(ow-iw)/2:(oh-ih)/2,format=yuv420p,buffersink@out";
    }
    return "aresample=" + std::to_string(sound_->sample_rate) +
           ":async=1000,aformat=sample_fmts=fltp:channel_layouts=stereo,abuffersink@out";
}

bool Filters::build()
{
    graph_.reset(avfilter_graph_alloc());
    if (!graph_) {
        throw std::bad_alloc{};
    }
    graph_->nb_threads = 1;
    AVFilterInOut* loose_inputs = nullptr;
    AVFilterInOut* loose_outputs = nullptr;
    std::string const text = source_ + "," + conversion();
    int const error =
        avfilter_graph_parse2(graph_.get(), text.c_str(), &loose_inputs, &loose_outputs);
    avfilter_inout_free(&loose_inputs);
    avfilter_inout_free(&loose_outputs);
    if (error < 0) {
        return false;
    }
    input_ = avfilter_graph_get_filter(graph_.get(), picture_ ? "buffer@in" : "abuffer@in");
    output_ =
        avfilter_graph_get_filter(graph_.get(), picture_ ? "buffersink@out" : "abuffersink@out");
    if (input_ == nullptr || output_ == nullptr ||
        avfilter_graph_config(graph_.get(), nullptr) < 0) {
        return false;
    }
    if (sound_) {
        av_buffersink_set_frame_size(output_, static_cast<unsigned>(sound_->frame_samples));
    }
    return true;
}

} // namespace ppsp::ingest
