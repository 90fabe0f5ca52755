#include "peer/ingest/demuxer.hpp"

#include "peer/ingest/port_probe.hpp"
#include "peer/ingest/steady.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <new>

namespace ppsp::ingest {
namespace {

/// A sender that says nothing for this long is gone. Longer than any pause between two packets,
/// shorter than viewers wait.
constexpr auto idle_max = std::chrono::seconds{3};

/// How much of a live input is looked at before it is passed on; OBS and FFmpeg send both streams
/// within the first second.
constexpr std::int64_t live_analyze_micros = 1'500'000;

bool is_directory(std::string const& path)
{
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

/// FFmpeg accepts any stream key of a publisher and only warns.
bool used_wrong_key(std::vector<std::string> const& log)
{
    return std::any_of(log.begin(), log.end(), [](std::string const& line) {
        return line.find("Unexpected stream") != std::string::npos ||
               line.find("App field don't match") != std::string::npos;
    });
}

OpenError wrong_key(InputSpec const& input)
{
    return {.sentence = "input " + input.name +
                        ": a publisher came with another stream key and was refused",
            .may_pass = true};
}

AVStream* best_stream(AVFormatContext* format, AVMediaType type)
{
    int const index = av_find_best_stream(format, type, -1, -1, nullptr, 0);
    if (index < 0) {
        return nullptr;
    }
    AVStream* const stream = format->streams[index];
    bool const is_cover = (stream->disposition & AV_DISPOSITION_ATTACHED_PIC) != 0;
    bool const is_known =
        type == AVMEDIA_TYPE_VIDEO
            ? stream->codecpar->width > 0 && stream->codecpar->height > 0
            : stream->codecpar->sample_rate > 0 && stream->codecpar->ch_layout.nb_channels > 0;
    return is_cover || !is_known ? nullptr : stream;
}

} // namespace

std::string open_error_sentence(InputSpec const& input, int error)
{
    switch (error) {
    case AVERROR(ENOENT):
        return "input " + input.name + ": no such file";
    case AVERROR(EACCES):
    case AVERROR(EPERM):
        return "input " + input.name + ": permission denied; make it readable for this user";
    case AVERROR(EISDIR):
        return "input " + input.name + ": is a directory; name a media file in it";
    case AVERROR_INVALIDDATA:
    case AVERROR_EOF:
        return "input " + input.name + ": not a media file or stream that FFmpeg can read";
    case AVERROR(EADDRINUSE):
        return "input " + input.name +
               ": the port is in use by another program; stop that or choose another port";
    case AVERROR(EADDRNOTAVAIL):
        return "input " + input.name + ": this machine does not have that address";
    case AVERROR_PROTOCOL_NOT_FOUND:
    case AVERROR_DEMUXER_NOT_FOUND:
        return "input " + input.name +
               ": the FFmpeg of this machine does not know this kind of input";
    default:
        return "input " + input.name + ": " + error_text(error);
    }
}

Result<std::unique_ptr<Demuxer>, OpenError> Demuxer::open(InputSpec const& input,
                                                          StopSignal const& stop)
{
    std::unique_ptr<Demuxer> demuxer{new Demuxer{stop}};
    auto error = demuxer->open_input(input);
    if (!error) {
        error = demuxer->find_streams(input);
    }
    if (error) {
        error->stopped = stop.requested();
        return failure(std::move(*error));
    }
    return demuxer;
}

Demuxer::~Demuxer()
{
    // The pipe's context outlives the demuxer that reads from it.
    avformat_close_input(&format_);
}

std::optional<OpenError> Demuxer::open_input(InputSpec const& input)
{
    if (input.kind == InputKind::file && is_directory(input.name)) {
        return OpenError{.sentence = open_error_sentence(input, AVERROR(EISDIR))};
    }
    if (input.kind == InputKind::listener || input.kind == InputKind::datagrams) {
        // FFmpeg's own error for a taken port is not the same for every protocol.
        if (int const error = port_error(input.url); error != 0) {
            return OpenError{.sentence = open_error_sentence(input, AVERROR(error))};
        }
    }
    format_ = avformat_alloc_context();
    if (format_ == nullptr) {
        throw std::bad_alloc{};
    }
    format_->interrupt_callback = {&Interrupt::ask, &interrupt_};
    if (input.kind == InputKind::pipe || input.kind == InputKind::fifo) {
        pipe_ = std::make_unique<PipeReader>(input.url, interrupt_);
        if (pipe_->error() != 0) {
            return OpenError{.sentence = open_error_sentence(input, AVERROR(pipe_->error()))};
        }
        format_->pb = pipe_->context();
    }
    if (input.kind == InputKind::file) {
        format_->flags |= AVFMT_FLAG_GENPTS;
    } else {
        format_->max_analyze_duration = live_analyze_micros;
    }
    if (input.kind == InputKind::test_picture) {
        test_picture_ = TestPicture::open(input.url, *format_);
        began_ = steady_now();
        if (!test_picture_) {
            return OpenError{.sentence = open_error_sentence(input, AVERROR_FILTER_NOT_FOUND)};
        }
        return std::nullopt;
    }
    return open_with_ffmpeg(input);
}

std::optional<OpenError> Demuxer::open_with_ffmpeg(InputSpec const& input)
{
    Options options;
    for (auto const& [key, value] : input.options) {
        options.set(key, value);
    }
    static_cast<void>(take_ffmpeg_log());
    int const error = avformat_open_input(&format_, input.url.c_str(), nullptr, options.get());
    began_ = steady_now();
    if (used_wrong_key(take_ffmpeg_log())) {
        return wrong_key(input);
    }
    if (error < 0) {
        return OpenError{.sentence = open_error_sentence(input, error), .may_pass = true};
    }
    return std::nullopt;
}

std::optional<OpenError> Demuxer::find_streams(InputSpec const& input)
{
    int const error = test_picture_ ? 0 : avformat_find_stream_info(format_, nullptr);
    if (error < 0) {
        return OpenError{.sentence = open_error_sentence(input, error), .may_pass = true};
    }
    video_ = best_stream(format_, AVMEDIA_TYPE_VIDEO);
    audio_ = best_stream(format_, AVMEDIA_TYPE_AUDIO);
    if (video_ == nullptr && audio_ == nullptr) {
        return OpenError{.sentence = "input " + input.name + ": has neither video nor audio",
                         .may_pass = true};
    }
    if (used_wrong_key(take_ffmpeg_log())) {
        return wrong_key(input);
    }
    for (unsigned i = 0; i < format_->nb_streams; ++i) {
        AVStream* const stream = format_->streams[i];
        bool const is_used = stream == video_ || stream == audio_;
        stream->discard = is_used ? AVDISCARD_DEFAULT : AVDISCARD_ALL;
    }
    bool const sender_may_vanish = input.kind == InputKind::datagrams ||
                                   input.kind == InputKind::listener ||
                                   input.kind == InputKind::fifo || input.kind == InputKind::remote;
    if (sender_may_vanish) {
        interrupt_.watch(input.kind == InputKind::remote ? 10 * idle_max : idle_max);
    }
    return std::nullopt;
}

Result<PacketPtr, Demuxer::Ended> Demuxer::read()
{
    PacketPtr packet = make_packet();
    // Silence counts from here: what the reader of our output takes its time for is no silence.
    interrupt_.touch();
    while (true) {
        int const error = read_into(packet);
        if (interrupt_.stopped()) {
            return failure(Ended::stopped);
        }
        if (error == AVERROR(EAGAIN)) {
            continue;
        }
        if (error < 0) {
            return failure(error == AVERROR_EOF ? Ended::end_of_input : Ended::lost);
        }
        bool const is_used = (video_ != nullptr && packet->stream_index == video_->index) ||
                             (audio_ != nullptr && packet->stream_index == audio_->index);
        if (is_used) {
            return packet;
        }
        av_packet_unref(packet.get());
    }
}

int Demuxer::read_into(PacketPtr& packet)
{
    if (!test_picture_) {
        return av_read_frame(format_, packet.get());
    }
    PacketPtr made = test_picture_->next();
    if (!made) {
        return AVERROR_EOF;
    }
    packet = std::move(made);
    return 0;
}

AVStream const& Demuxer::stream_of(AVPacket const& packet) const noexcept
{
    return *format_->streams[packet.stream_index];
}

AVRational Demuxer::frame_rate() const noexcept
{
    AVRational rate{0, 1};
    if (video_ != nullptr) {
        rate = av_guess_frame_rate(format_, video_, nullptr);
    }
    bool const is_plausible = rate.num > 0 && rate.den > 0 && av_q2d(rate) <= 240;
    return is_plausible ? rate : AVRational{25, 1};
}

void Demuxer::on_idle(Interrupt::Time::duration idle, std::function<void()> report)
{
    if (pipe_) {
        pipe_->on_idle(idle, std::move(report));
    }
}

} // namespace ppsp::ingest
