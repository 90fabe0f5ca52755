#include "peer/ingest/ts_muxer.hpp"

extern "C" {
#include <libavutil/opt.h>
}

#include "peer/chunker/ts_packet.hpp"

#include <new>

namespace ppsp::ingest {
namespace {

constexpr std::size_t buffer_bytes = 348 * ts::packet_size;
constexpr AVRational tick{1, static_cast<int>(ticks_per_second)};

} // namespace

Result<std::unique_ptr<TsMuxer>, std::string>
TsMuxer::open(std::vector<AVCodecParameters const*> const& streams, int version,
              ContinuityCounters& counters, Sink sink)
{
    std::unique_ptr<TsMuxer> muxer{new TsMuxer{counters, std::move(sink)}};
    if (int const error = muxer->start(streams, version); error < 0) {
        return failure("cannot write MPEG-TS: " + error_text(error));
    }
    return muxer;
}

TsMuxer::~TsMuxer()
{
    if (header_written_) {
        av_write_trailer(format_);
    }
    avformat_free_context(format_);
    if (output_ != nullptr) {
        av_freep(&output_->buffer);
        avio_context_free(&output_);
    }
}

int TsMuxer::start(std::vector<AVCodecParameters const*> const& streams, int version)
{
    int const allocated = avformat_alloc_output_context2(&format_, nullptr, "mpegts", nullptr);
    if (allocated < 0) {
        return allocated;
    }
    auto* const buffer = static_cast<unsigned char*>(av_malloc(buffer_bytes));
    output_ = avio_alloc_context(buffer, static_cast<int>(buffer_bytes), 1, this, nullptr,
                                 &TsMuxer::collect, nullptr);
    if (output_ == nullptr) {
        throw std::bad_alloc{};
    }
    format_->pb = output_;
    format_->flags |= AVFMT_FLAG_FLUSH_PACKETS;
    format_->max_delay = 0;
    for (AVCodecParameters const* const parameters : streams) {
        AVStream* const stream = avformat_new_stream(format_, nullptr);
        if (stream == nullptr) {
            throw std::bad_alloc{};
        }
        avcodec_parameters_copy(stream->codecpar, parameters);
        stream->codecpar->codec_tag = 0;
        stream->time_base = tick;
    }
    Options options;
    options.set("tables_version", std::to_string(version));
    options.set("pat_period", "0.25");
    options.set("sdt_period", "2");
    // Every audio frame leaves by itself instead of waiting for 2930 bytes.
    options.set("pes_payload_size", "0");
    int const error = avformat_write_header(format_, options.get());
    header_written_ = error >= 0;
    return error;
}

int TsMuxer::collect(void* self, std::uint8_t* bytes, int size)
{
    ByteVector& collected = static_cast<TsMuxer*>(self)->collected_;
    collected.insert(collected.end(), bytes, bytes + size);
    return size;
}

bool TsMuxer::write(AVPacket& packet, int stream)
{
    AVStream const& target = *format_->streams[stream];
    packet.stream_index = stream;
    packet.pos = -1;
    av_packet_rescale_ts(&packet, tick, target.time_base);
    bool const is_video = target.codecpar->codec_type == AVMEDIA_TYPE_VIDEO;
    if (is_video && (packet.flags & AV_PKT_FLAG_KEY) != 0) {
        av_opt_set(format_->priv_data, "mpegts_flags", "+resend_headers", 0);
    }
    int const error = av_write_frame(format_, &packet);
    avio_flush(output_);
    hand_out();
    return error >= 0;
}

void TsMuxer::hand_out()
{
    if (collected_.empty()) {
        return;
    }
    counters_->renumber(collected_);
    sink_(std::exchange(collected_, {}));
}

} // namespace ppsp::ingest
