#include "peer/ingest/ffmpeg.hpp"

extern "C" {
#include <libavutil/log.h>
}

#include <array>
#include <cstdarg>
#include <mutex>
#include <new>
#include <utility>

namespace ppsp::ingest {
namespace {

constexpr std::size_t log_lines_max = 32;

thread_local std::vector<std::string> log_lines;

void keep_line(void* source, int level, char const* format, va_list arguments)
{
    if (level > AV_LOG_WARNING || log_lines.size() >= log_lines_max) {
        return;
    }
    std::array<char, 512> line{};
    int with_prefix = 1;
    av_log_format_line(source, level, format, arguments, line.data(), line.size(), &with_prefix);
    log_lines.emplace_back(line.data());
}

template <typename T>
T* checked(T* object)
{
    if (object == nullptr) {
        throw std::bad_alloc{};
    }
    return object;
}

} // namespace

PacketPtr make_packet()
{
    return PacketPtr{checked(av_packet_alloc())};
}

FramePtr make_frame()
{
    return FramePtr{checked(av_frame_alloc())};
}

ParametersPtr copy_of(AVCodecParameters const& parameters)
{
    ParametersPtr copy{checked(avcodec_parameters_alloc())};
    if (avcodec_parameters_copy(copy.get(), &parameters) < 0) {
        throw std::bad_alloc{};
    }
    return copy;
}

std::string error_text(int error)
{
    std::array<char, AV_ERROR_MAX_STRING_SIZE> text{};
    av_strerror(error, text.data(), text.size());
    return text.data();
}

void quiet_ffmpeg()
{
    static std::once_flag once;
    std::call_once(once, [] {
        av_log_set_callback(keep_line);
        avformat_network_init();
    });
}

std::vector<std::string> take_ffmpeg_log()
{
    return std::exchange(log_lines, {});
}

} // namespace ppsp::ingest
