#include "tests/peer/ingest_support.hpp"

#include "peer/ingest/media_source.hpp"

#include <gtest/gtest.h>

#include <fstream>

namespace ppsp::ingest {
namespace {

using namespace std::chrono_literals;
using test::clip;
using test::collect;
using test::Collected;
using test::mp4_clip;
using test::options_for;

Collected run(SourceOptions options, std::function<bool(Collected const&)> const& enough)
{
    Collected all;
    auto const source = start_source(std::move(options));
    collect(*source, all, enough);
    return all;
}

bool never(Collected const&)
{
    return false;
}

TEST(IngestFile, IsPassedOnAtItsOwnSpeedAndEnds)
{
    Collected const all = run(options_for(mp4_clip().string()), never);
    EXPECT_TRUE(all.has_ended()) << all.failure();
    EXPECT_EQ(all.ts.faults, std::vector<std::string>{});
    EXPECT_EQ(all.ts.pictures.size(), 90U);
    EXPECT_EQ(all.ts.key_frames(), 3U);
    EXPECT_TRUE(all.ts.pictures.front().is_key);
    EXPECT_GT(all.ts.sounds.size(), 130U);
    EXPECT_EQ(all.ts.program.video_kind(), ts::StreamKind::h264);
    EXPECT_GE(all.ts.pcr_count, 90U);
    EXPECT_LT(all.ts.longest_picture_step(), 0.04);
    // Three seconds of media: the last packet is due 2.9 s after the first.
    EXPECT_GT(all.seconds(), 2.8);
    ASSERT_EQ(all.count<SourceOpened>(), 1U);
    auto const& opened = std::get<SourceOpened>(all.events.front());
    EXPECT_TRUE(opened.has_video);
    EXPECT_FALSE(opened.bits_per_second);
    EXPECT_EQ(opened.description, "h264 640x360 (passed on), aac 48000 Hz (passed on)");
    EXPECT_EQ(all.count<SourceWarning>(), 0U);
}

TEST(IngestFile, LoopsWithoutASeam)
{
    auto const path = clip("short.mp4", "0.5",
                           "-c:v libx264 -preset ultrafast -bf 2 -b_strategy 0 -g 30 -c:a aac");
    SourceOptions options = options_for(path.string());
    options.loop = true;
    Collected const all =
        run(options, [](Collected const& c) { return c.ts.pictures.size() >= 60; });
    EXPECT_EQ(all.ts.faults, std::vector<std::string>{});
    EXPECT_GE(all.ts.pictures.size(), 60U);
    EXPECT_GE(all.ts.key_frames(), 4U);
    // The sound of the clip may be a frame longer than the picture.
    EXPECT_LT(all.ts.longest_picture_step(), 0.033 + 0.05);
    EXPECT_LT(all.ts.longest_sound_step(), 0.05);
    EXPECT_GT(all.seconds(), 1.7);
    EXPECT_EQ(all.count<SourceOpened>(), 1U);
}

TEST(IngestFile, IsEncodedWhenItsCodecsDoNotFitOrOnRequest)
{
    auto const path = clip("odd.mkv", "1.2", "-c:v ffv1 -pix_fmt yuv444p -c:a pcm_s16le -ac 1");
    Collected const all = run(options_for(path.string()), never);
    EXPECT_TRUE(all.has_ended()) << all.failure();
    EXPECT_EQ(all.ts.faults, std::vector<std::string>{});
    EXPECT_EQ(all.ts.pictures.size(), 36U);
    EXPECT_GE(all.ts.key_frames(), 2U);
    EXPECT_GT(all.ts.sounds.size(), 50U);
    auto const& opened = std::get<SourceOpened>(all.events.front());
    EXPECT_EQ(opened.description, "h264 640x360 (encoded here), aac 48000 Hz (encoded here)");
    EXPECT_EQ(opened.bits_per_second, (2'500'000U + 128'000U) * 17 / 16);
    EXPECT_GT(all.seconds(), 1.0);
}

TEST(IngestFile, EncodingLoopsWithoutASeamAndKeepsTheRate)
{
    SourceOptions options = options_for(mp4_clip().string());
    options.encode = true;
    options.loop = true;
    options.video_kbps = 400;
    Collected const all =
        run(options, [](Collected const& c) { return c.ts.pictures.size() >= 150; });
    EXPECT_EQ(all.ts.faults, std::vector<std::string>{});
    EXPECT_LT(all.ts.longest_picture_step(), 0.033 + 0.05);
    EXPECT_LT(all.ts.longest_sound_step(), 0.06);
    EXPECT_GE(all.ts.key_frames(), 5U);
    double const media_seconds =
        static_cast<double>(all.ts.pictures.back().pts - all.ts.pictures.front().pts) / 90'000;
    double const kbps = static_cast<double>(all.ts.bytes) * 8 / media_seconds / 1000;
    EXPECT_LT(kbps, 1.35 * (400 + 128));
}

TEST(IngestFile, SoundAloneIsEnough)
{
    auto const path = clip("sound.m4a", "0.6", "-vn -c:a aac");
    Collected const all = run(options_for(path.string()), never);
    EXPECT_TRUE(all.has_ended()) << all.failure();
    EXPECT_EQ(all.ts.faults, std::vector<std::string>{});
    EXPECT_GT(all.ts.sounds.size(), 25U);
    EXPECT_FALSE(std::get<SourceOpened>(all.events.front()).has_video);
}

TEST(IngestFile, KeyFramesFarApartAreWarnedOfOnce)
{
    auto const path = clip("long-gop.mp4", "5",
                           "-c:v libx264 -preset ultrafast -g 1000 -force_key_frames 2.5 -an");
    Collected const all = run(options_for(path.string()),
                              [](Collected const& c) { return c.count<SourceWarning>() > 0; });
    ASSERT_EQ(all.count<SourceWarning>(), 1U);
    for (auto const& event : all.events) {
        if (auto const* const warning = std::get_if<SourceWarning>(&event)) {
            EXPECT_NE(
                warning->sentence.find("viewers wait up to 3 s for a picture; --encode fixes"),
                std::string::npos)
                << warning->sentence;
        }
    }
}

TEST(IngestFile, ARealFilmIsPassedOn)
{
    auto const path =
        std::filesystem::path{PPSP_TEST_VECTORS} / "../../../shared/media" / "bbb-480p-30s.mp4";
    if (!std::filesystem::exists(path)) {
        GTEST_SKIP() << path << " is not on this machine";
    }
    Collected const all = run(options_for(path.string()),
                              [](Collected const& c) { return c.ts.pictures.size() >= 48; });
    EXPECT_EQ(all.ts.faults, std::vector<std::string>{});
    EXPECT_TRUE(all.ts.pictures.front().is_key);
    EXPECT_EQ(std::get<SourceOpened>(all.events.front()).description,
              "h264 854x480 (passed on), aac 48000 Hz (passed on)");
}

TEST(IngestFile, SaysWhatIsWrongWithTheInput)
{
    auto const sentence = [](std::string const& input) {
        return run(options_for(input), never).failure();
    };
    auto const folder = std::filesystem::path{PPSP_BINARY_DIR} / "ingest-clips";
    std::filesystem::create_directories(folder);
    std::string const missing = (folder / "missing.mp4").string();
    EXPECT_EQ(sentence(missing), "input " + missing + ": no such file");
    EXPECT_EQ(sentence(folder.string()),
              "input " + folder.string() + ": is a directory; name a media file in it");
    std::string const text = (folder / "text.bin").string();
    std::ofstream{text} << std::string(5000, 'x');
    EXPECT_EQ(sentence(text),
              "input " + text + ": not a media file or stream that FFmpeg can read");
    std::string const empty = (folder / "empty.mp4").string();
    std::ofstream{empty};
    EXPECT_EQ(sentence(empty),
              "input " + empty + ": not a media file or stream that FFmpeg can read");
    auto const subtitles = folder / "subtitles.srt";
    std::ofstream{subtitles} << "1\n00:00:00,000 --> 00:00:01,000\nhello\n\n";
    EXPECT_EQ(sentence(subtitles.string()),
              "input " + subtitles.string() + ": has neither video nor audio");
}

TEST(IngestFile, StopsAtOnceWhileItWaitsForTheReader)
{
    SourceOptions options = options_for(mp4_clip().string());
    options.loop = true;
    auto const source = start_source(options);
    ASSERT_TRUE(source->wait(5s));
    auto const before = std::chrono::steady_clock::now();
    source->stop();
    EXPECT_LT(std::chrono::steady_clock::now() - before, 1s);
    EXPECT_FALSE(source->poll());
    source->stop();
}

} // namespace
} // namespace ppsp::ingest
