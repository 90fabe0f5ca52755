#include "peer/ingest/pipeline.hpp"

#include "peer/ingest/pixel_clock.hpp"
#include "peer/ingest/steady.hpp"

#include <utility>

namespace ppsp::ingest {
namespace {

constexpr int table_versions = 32;

/// Pipes deliver in bursts (a shell pipe holds 64 KiB, and probing has read ahead); what is early
/// by less than this is not held back, so that pacing costs a live pipe no delay.
constexpr Duration pipe_lead = std::chrono::seconds{2};

constexpr unsigned default_video_kbps = 2500;
constexpr unsigned test_picture_kbps = 1050;

std::optional<Ticks> ticks(std::int64_t time, AVRational base)
{
    if (time == AV_NOPTS_VALUE) {
        return std::nullopt;
    }
    return av_rescale_q(time, base, {1, static_cast<int>(ticks_per_second)});
}

EncodeOptions encode_options(SourceOptions const& options)
{
    bool const is_test = options.input.kind == InputKind::test_picture;
    return {.video_kbps =
                options.video_kbps.value_or(is_test ? test_picture_kbps : default_video_kbps),
            .stamp_clock = options.stamp_clock,
            .is_live = options.input.kind != InputKind::file};
}

} // namespace

Pipeline::Pipeline(SourceOptions const& options, StopSignal& stop, Emit emit)
    : options_(options), emit_(std::move(emit)),
      interleaves_(options.input.kind == InputKind::file ||
                   options.input.kind == InputKind::test_picture),
      paced_(options.input.is_paced()),
      pacer_(stop, options.input.kind == InputKind::pipe ? pipe_lead : Duration{0})
{}

Result<void, std::string> Pipeline::begin(Demuxer const& input, Timeline::Follow follow)
{
    bool changed = muxer_ == nullptr;
    for (auto const& [slot, stream] : {std::pair{video_slot, input.video()}, //
                                       std::pair{audio_slot, input.audio()}}) {
        auto const prepared =
            prepare(slots_[static_cast<std::size_t>(slot)], stream, input.frame_rate(), changed);
        if (!prepared) {
            return prepared;
        }
    }
    if (changed) {
        auto const started = start_muxer();
        if (!started) {
            return started;
        }
        emitting_ = emit_(description());
    }
    timeline_.begin_session(follow, input.began());
    has_key_frame_ = slots_[video_slot].path == nullptr;
    session_packets_ = 0;
    bool const has_both = slots_[video_slot].path != nullptr && slots_[audio_slot].path != nullptr;
    interleaver_ = Interleaver{interleaves_ && has_both ? 2U : 1U};
    return {};
}

Result<void, std::string> Pipeline::prepare(Slot& slot, AVStream const* stream, AVRational rate,
                                            bool& changed)
{
    if (stream == nullptr) {
        changed = changed || slot.path != nullptr;
        slot.path.reset();
        return {};
    }
    AVCodecParameters const& input = *stream->codecpar;
    bool const passes_on = !options_.encode && can_pass_on(input.codec_id);
    if (options_.stamp_clock && input.codec_type == AVMEDIA_TYPE_VIDEO &&
        (passes_on || input.width < pixel_clock_width || input.height < pixel_clock_height)) {
        return failure("input " + options_.input.name +
                       ": a clock can only be drawn into pictures of 640x32 or more that are "
                       "encoded here; add --encode or leave out --stamp-clock");
    }
    if (slot.path && slot.path->encodes() != passes_on && slot.path->resume(input)) {
        return {};
    }
    changed = true;
    if (passes_on) {
        slot.path = pass_on(input);
        return {};
    }
    auto path = input.codec_type == AVMEDIA_TYPE_VIDEO
                    ? encode_video(input, rate, encode_options(options_))
                    : encode_audio(input, encode_options(options_));
    if (!path) {
        return failure("input " + options_.input.name + ": " + path.error());
    }
    slot.path = std::move(*path);
    return {};
}

Result<void, std::string> Pipeline::start_muxer()
{
    std::vector<AVCodecParameters const*> streams;
    for (Slot& slot : slots_) {
        if (slot.path) {
            slot.number = static_cast<int>(streams.size());
            streams.push_back(&slot.path->output());
        }
    }
    muxer_.reset();
    auto muxer = TsMuxer::open(
        streams, std::exchange(tables_version_, (tables_version_ + 1) % table_versions), counters_,
        [this](ByteVector bytes) { emitting_ = emitting_ && emit_(TsBytes{std::move(bytes)}); });
    if (!muxer) {
        return failure("input " + options_.input.name + ": " + muxer.error());
    }
    muxer_ = std::move(*muxer);
    return {};
}

SourceOpened Pipeline::description() const
{
    SourceOpened opened;
    std::uint64_t bits = 0;
    bool all_encoded = true;
    for (Slot const& slot : slots_) {
        if (!slot.path) {
            continue;
        }
        AVCodecParameters const& output = slot.path->output();
        bool const is_video = output.codec_type == AVMEDIA_TYPE_VIDEO;
        std::string text = avcodec_get_name(output.codec_id);
        text += is_video ? " " + std::to_string(output.width) + "x" + std::to_string(output.height)
                         : " " + std::to_string(output.sample_rate) + " Hz";
        text += slot.path->encodes() ? " (encoded here)" : " (passed on)";
        opened.description += (opened.description.empty() ? "" : ", ") + text;
        opened.has_video = opened.has_video || is_video;
        all_encoded = all_encoded && slot.path->encodes();
        bits += 1000 * (is_video ? encode_options(options_).video_kbps : audio_kbps);
    }
    if (all_encoded) {
        opened.bits_per_second = bits + bits / 16; // packet headers, tables, clock
    }
    return opened;
}

bool Pipeline::push(Demuxer const& input, PacketPtr packet)
{
    AVStream const& stream = input.stream_of(*packet);
    int const slot = &stream == input.video() ? video_slot : audio_slot;
    if (packet->size == 0 || wait_for_key_frame(*packet, slot)) {
        return emitting_;
    }
    ++session_packets_;
    if (!place(stream, *packet, slot)) {
        return false;
    }
    if (!interleaves_) {
        return deliver(std::move(packet));
    }
    interleaver_.push(std::move(packet));
    while (PacketPtr next = interleaver_.pop()) {
        if (!deliver(std::move(next))) {
            return false;
        }
    }
    return emitting_;
}

/// Nothing can be shown before the first key frame, and sound alone would only delay the start.
bool Pipeline::wait_for_key_frame(AVPacket const& packet, int slot)
{
    has_key_frame_ =
        has_key_frame_ || (slot == video_slot && (packet.flags & AV_PKT_FLAG_KEY) != 0);
    return !has_key_frame_;
}

/// Moves the packet onto the output's timeline and gives it its slot as stream number.
bool Pipeline::place(AVStream const& stream, AVPacket& packet, int slot)
{
    Ticks const duration = ticks(packet.duration, stream.time_base).value_or(0);
    auto const times = timeline_.place(steady_now(), slot, ticks(packet.dts, stream.time_base),
                                       ticks(packet.pts, stream.time_base), duration);
    packet.dts = times.dts;
    packet.pts = times.pts;
    packet.duration = duration;
    packet.stream_index = slot;
    StreamPath& path = *slots_[static_cast<std::size_t>(slot)].path;
    if (times.restarted) {
        release_held();
        interrupt(slot);
    }
    if (slot == video_slot && !path.encodes()) {
        bool const is_key = (packet.flags & AV_PKT_FLAG_KEY) != 0;
        if (auto warning = key_frames_.note(times.dts, is_key)) {
            emitting_ =
                emitting_ && emit_(SourceWarning{"input " + options_.input.name + ": " + *warning});
        }
    }
    return emitting_;
}

bool Pipeline::deliver(PacketPtr packet)
{
    if (paced_ && !pacer_.wait(packet->dts)) {
        return false;
    }
    int const slot = packet->stream_index;
    slots_[static_cast<std::size_t>(slot)].path->push(*packet,
                                                      [&](AVPacket& made) { mux(made, slot); });
    return emitting_;
}

void Pipeline::mux(AVPacket& packet, int slot)
{
    muxer_->write(packet, slots_[static_cast<std::size_t>(slot)].number);
}

/// What comes next on this slot does not continue what went before.
void Pipeline::interrupt(int slot)
{
    if (auto const& path = slots_[static_cast<std::size_t>(slot)].path) {
        path->interrupt([&](AVPacket& made) { mux(made, slot); });
    }
    if (slot == video_slot) {
        key_frames_.restart();
    }
}

void Pipeline::release_held()
{
    while (PacketPtr next = interleaver_.pop(true)) {
        if (!deliver(std::move(next))) {
            return;
        }
    }
}

void Pipeline::end_session()
{
    release_held();
    interrupt(video_slot);
    interrupt(audio_slot);
}

void Pipeline::finish()
{
    for (int const slot : {video_slot, audio_slot}) {
        if (auto const& path = slots_[static_cast<std::size_t>(slot)].path) {
            path->finish([&](AVPacket& made) { mux(made, slot); });
        }
    }
    muxer_.reset();
}

} // namespace ppsp::ingest
