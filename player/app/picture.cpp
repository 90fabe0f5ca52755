#include "player/app/picture.hpp"

#include <gst/video/video.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace ppsp::player {
namespace {

constexpr GstClockTime convert_time_max = 1 * GST_SECOND;

struct Unref {
    void operator()(GstSample* sample) const { gst_sample_unref(sample); }
    void operator()(GstCaps* caps) const { gst_caps_unref(caps); }
};

std::string system_error(std::string const& path)
{
    return "cannot write the snapshot " + path + ": " + std::strerror(errno);
}

std::string write_bytes(GstBuffer* buffer, std::string const& path)
{
    auto* const file = std::fopen(path.c_str(), "wb");
    if (file == nullptr) {
        return system_error(path);
    }
    GstMapInfo map;
    bool is_written = gst_buffer_map(buffer, &map, GST_MAP_READ) != FALSE;
    if (is_written) {
        is_written = std::fwrite(map.data, 1, map.size, file) == map.size;
        gst_buffer_unmap(buffer, &map);
    }
    is_written = std::fclose(file) == 0 && is_written;
    return is_written ? std::string{} : system_error(path);
}

/// Eight-bit luma in the first plane, which every usual decoder gives.
bool has_luma_plane(GstVideoInfo const& info)
{
    return GST_VIDEO_INFO_IS_YUV(&info) && GST_VIDEO_INFO_COMP_DEPTH(&info, 0) == 8 &&
           GST_VIDEO_INFO_COMP_PLANE(&info, 0) == 0 && GST_VIDEO_INFO_COMP_PSTRIDE(&info, 0) == 1;
}

} // namespace

std::string write_png(GstSample* sample, std::string const& path)
{
    std::unique_ptr<GstCaps, Unref> const png{gst_caps_new_empty_simple("image/png")};
    GError* error = nullptr;
    std::unique_ptr<GstSample, Unref> const image{
        gst_video_convert_sample(sample, png.get(), convert_time_max, &error)};
    if (!image) {
        std::string const reason = error ? error->message : "unknown";
        g_clear_error(&error);
        return "cannot turn the picture into a PNG: " + reason;
    }
    auto const beside = path + ".part";
    auto sentence = write_bytes(gst_sample_get_buffer(image.get()), beside);
    if (sentence.empty() && std::rename(beside.c_str(), path.c_str()) != 0) {
        sentence = system_error(path);
    }
    if (!sentence.empty()) {
        std::remove(beside.c_str());
    }
    return sentence;
}

void measure(GlassToGlass& meter, GstBuffer* buffer, GstCaps* caps)
{
    auto const now = ingest::pixel_clock_now();
    GstVideoInfo info;
    GstVideoFrame frame;
    if (caps == nullptr || !gst_video_info_from_caps(&info, caps) || !has_luma_plane(info) ||
        !gst_video_frame_map(&frame, &info, buffer, GST_MAP_READ)) {
        meter.observe_unreadable();
        return;
    }
    ingest::LumaView const luma{
        static_cast<std::uint8_t const*>(GST_VIDEO_FRAME_PLANE_DATA(&frame, 0)),
        GST_VIDEO_FRAME_PLANE_STRIDE(&frame, 0), GST_VIDEO_FRAME_WIDTH(&frame),
        GST_VIDEO_FRAME_HEIGHT(&frame)};
    meter.observe(luma, now);
    gst_video_frame_unmap(&frame);
}

} // namespace ppsp::player
