#include "clip.hpp"
#include "fake_channel.hpp"
#include "peer/ingest/pixel_clock.hpp"
#include "player/app/player.hpp"
#include "player/plugin/ppspsrc.hpp"

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gst/app/gstappsink.h>
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <unistd.h>

namespace ppsp::player {
namespace {

using namespace std::chrono_literals;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using namespace test;

namespace json = boost::json;

struct PlayerTest : testing::Test {
    std::shared_ptr<FakeChannel> channel = FakeChannel::make();
    PlayOptions options;
    std::ostringstream out;
    std::ostringstream err;
    std::filesystem::path folder;

    void SetUp() override
    {
        auto pattern = (std::filesystem::temp_directory_path() / "ppsp-play-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder = pattern;
        ASSERT_TRUE(register_ppspsrc(nullptr, channel->factory()));
        options.node.link = "ppsp://127.0.0.1:7846/0dabcdef";
        options.headless = true;
    }
    void TearDown() override
    {
        std::filesystem::remove_all(folder);
        EXPECT_EQ(channel->sources_alive(), 0) << "the node is still there";
    }

    int run() { return play(options, out, err); }
    [[nodiscard]] std::string file(char const* name) const { return (folder / name).string(); }
    [[nodiscard]] std::vector<json::object> statistics() const
    {
        std::vector<json::object> lines;
        std::ifstream in{options.statistics_path};
        for (std::string line; std::getline(in, line);) {
            lines.push_back(json::parse(line).as_object());
        }
        return lines;
    }
};

std::uint64_t frames_of(json::object const& line)
{
    return line.at("frames_shown").to_number<std::uint64_t>() +
           line.at("frames_dropped").to_number<std::uint64_t>();
}

TEST_F(PlayerTest, plays_a_clip_to_its_end_and_keeps_the_last_picture)
{
    auto const clip = make_clip({});
    options.snapshot_path = file("last.png");
    options.statistics_path = file("stats.json");
    Feeder const feeder{channel, clip};
    ASSERT_EQ(run(), 0) << err.str();

    EXPECT_EQ(out.str(), "ppsp-play playing 0dabcdef udp=127.0.0.1:4242\n");
    EXPECT_LT(
        mean_absolute_difference(picture_of_png(options.snapshot_path), last_picture_of_clip(clip)),
        2.0);
    auto const lines = statistics();
    ASSERT_GE(lines.size(), 2u) << "one per second and one at the end";
    EXPECT_FALSE(lines.front().contains("final"));
    auto const& last = lines.back();
    EXPECT_TRUE(last.at("final").as_bool());
    EXPECT_GT(last.at("startup_ms").as_int64(), 0);
    EXPECT_GT(frames_of(last), 0u);
    EXPECT_LE(frames_of(last), 50u);
    EXPECT_TRUE(last.contains("media_bytes")) << "the node's keys are kept";
}

TEST_F(PlayerTest, two_pictures_differ)
{
    auto const bars = last_picture_of_clip(make_clip({.has_sound = false}));
    auto const snow = last_picture_of_clip(make_clip({.pattern = "snow", .has_sound = false}));
    EXPECT_GT(mean_absolute_difference(bars, snow), 20.0) << "the comparison sees nothing";
}

TEST_F(PlayerTest, a_snapshot_can_be_taken_while_it_plays)
{
    options.snapshot_path = file("early.png");
    options.snapshot_after = 200ms;
    Feeder const feeder{channel, make_clip({.frames = 40, .has_sound = false})};
    ASSERT_EQ(run(), 0) << err.str();
    EXPECT_EQ(picture_of_png(options.snapshot_path).size(), 640u * 360u * 3u);
    EXPECT_FALSE(std::filesystem::exists(options.snapshot_path + ".part"));
}

TEST_F(PlayerTest, a_snapshot_that_cannot_be_written_is_a_failure_in_words)
{
    options.snapshot_path = "/nowhere/at/all.png";
    Feeder const feeder{channel, make_clip({.frames = 13, .has_sound = false})};
    EXPECT_EQ(run(), 1);
    EXPECT_THAT(err.str(), HasSubstr("/nowhere/at/all.png"));
}

TEST_F(PlayerTest, goes_on_when_the_channel_comes_back_with_other_streams)
{
    auto clip = make_clip({.frames = 25, .has_sound = false});
    auto const second = make_clip({.width = 320, .height = 240, .frames = 25});
    clip.insert(clip.end(), second.begin(), second.end());
    options.snapshot_path = file("last.png");
    Feeder const feeder{channel, clip};
    ASSERT_EQ(run(), 0) << err.str();
    EXPECT_EQ(picture_of_png(options.snapshot_path).size(), 320u * 240u * 3u);
}

TEST_F(PlayerTest, plays_a_channel_without_pictures)
{
    options.run_time = 60s;
    Feeder const feeder{
        channel,
        run_pipeline("audiotestsrc samplesperbuffer=1920 num-buffers=25 ! "
                     "audio/x-raw,rate=48000,channels=2 ! avenc_aac ! aacparse ! mpegtsmux ! "
                     "appsink name=out sync=false")};
    EXPECT_EQ(run(), 0) << err.str();
}

TEST_F(PlayerTest, a_node_that_cannot_start_is_a_failure_in_its_words)
{
    channel->refuse("port 6778 is taken");
    EXPECT_EQ(run(), 1);
    EXPECT_EQ(err.str(), "ppsp-play: port 6778 is taken\n");
    EXPECT_EQ(out.str(), "");
}

TEST_F(PlayerTest, a_node_that_gives_up_is_a_failure_in_its_words)
{
    channel->fail("nobody has this channel");
    EXPECT_EQ(run(), 1);
    EXPECT_EQ(err.str(), "ppsp-play: nobody has this channel\n");
    EXPECT_THAT(out.str(), StartsWith("ppsp-play playing 0dabcdef"));
}

TEST_F(PlayerTest, waits_with_a_sentence_until_the_join_timeout)
{
    options.node.join_timeout = 1s;
    EXPECT_EQ(run(), 1);
    EXPECT_THAT(err.str(), HasSubstr("ppsp-play: waiting for the channel to start, up to 1 s\n"));
    EXPECT_THAT(err.str(), EndsWith("within the time given by --join-timeout\n"));
}

TEST_F(PlayerTest, noise_is_no_channel_and_no_crash)
{
    options.node.join_timeout = 1s;
    std::vector<std::uint8_t> noise(64 * 1024);
    std::uint32_t state = 1;
    for (auto& byte : noise) {
        state = state * 1'664'525u + 1'013'904'223u;
        byte = static_cast<std::uint8_t>(state >> 24);
    }
    channel->push(noise);
    EXPECT_EQ(run(), 1);
    EXPECT_THAT(err.str(), HasSubstr("nothing in it that can be decoded"));
}

TEST_F(PlayerTest, what_the_node_says_reaches_people)
{
    std::jthread const speaker{[this] {
        if (channel->wait_until_starved()) {
            channel->say("waiting for the channel to start");
            channel->fail("given up");
        }
    }};
    EXPECT_EQ(run(), 1);
    EXPECT_EQ(err.str(), "ppsp-play: waiting for the channel to start\nppsp-play: given up\n");
}

TEST_F(PlayerTest, a_signal_ends_it_at_once)
{
    for (auto const signal : {SIGTERM, SIGINT}) {
        std::jthread const killer{[this, signal] {
            if (channel->wait_until_starved()) {
                kill(getpid(), signal);
            }
        }};
        auto const start = std::chrono::steady_clock::now();
        EXPECT_EQ(run(), 0) << err.str();
        EXPECT_LT(std::chrono::steady_clock::now() - start, 10s);
    }
}

TEST_F(PlayerTest, ends_after_the_seconds_given)
{
    options.run_time = 100ms;
    EXPECT_EQ(run(), 1);
    EXPECT_EQ(err.str(), "ppsp-play: the time given by --seconds is over and nothing was played\n");
}

TEST_F(PlayerTest, statistics_on_stdout_move_the_first_line_to_stderr)
{
    options.statistics_path = "-";
    options.run_time = 2s; // the first line comes once the pipeline runs
    (void)run();
    std::string text = out.str();
    ASSERT_FALSE(text.empty());
    text.pop_back(); // the last line's end
    auto const line = json::parse(text.substr(text.rfind('\n') + 1)).as_object();
    EXPECT_TRUE(line.at("final").as_bool());
    EXPECT_TRUE(line.at("startup_ms").is_null());
    EXPECT_THAT(err.str(), StartsWith("ppsp-play playing 0dabcdef udp=127.0.0.1:4242\n"));
}

TEST_F(PlayerTest, a_statistics_file_that_cannot_be_written_is_a_failure_in_words)
{
    options.statistics_path = "/nowhere/at/all.json";
    EXPECT_EQ(run(), 1);
    EXPECT_THAT(err.str(), HasSubstr("--stats-json: cannot write /nowhere/at/all.json"));
}

TEST_F(PlayerTest, without_a_display_it_says_so_and_plays)
{
    options.headless = false;
    Feeder const feeder{channel, make_clip({.frames = 13})};
    EXPECT_EQ(run(), 0) << err.str();
    EXPECT_THAT(err.str(), StartsWith("ppsp-play: there is no display here"));
}

/// Encodes pictures that carry the clock of the moment they are made, in real time.
class ClockedSource {
public:
    ClockedSource(std::shared_ptr<FakeChannel> channel, int frames)
        : channel_(std::move(channel)), frames_(frames), thread_([this] { run(); })
    {}

private:
    static constexpr int width = 640;
    static constexpr int height = 64;

    void run()
    {
        auto* const pipeline = gst_parse_launch(
            "appsrc name=in format=time caps=video/x-raw,format=I420,width=640,height=64,"
            "framerate=25/1 ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=10 ! "
            "video/x-h264,profile=constrained-baseline ! mpegtsmux alignment=7 ! "
            "appsink name=out sync=false emit-signals=true",
            nullptr);
        auto* const in = gst_bin_get_by_name(GST_BIN(pipeline), "in");
        auto* const sink = gst_bin_get_by_name(GST_BIN(pipeline), "out");
        g_signal_connect(sink, "new-sample", G_CALLBACK(on_sample), this);
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        auto const start = std::chrono::steady_clock::now();
        for (int i = 0; i < frames_; ++i) {
            std::this_thread::sleep_until(start + i * 40ms);
            gst_app_src_push_buffer(GST_APP_SRC(in), picture(i));
        }
        gst_app_src_end_of_stream(GST_APP_SRC(in));
        auto* const bus = gst_element_get_bus(pipeline);
        gst_message_unref(gst_bus_timed_pop_filtered(bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS));
        channel_->end();
        gst_element_set_state(pipeline, GST_STATE_NULL);
        gst_object_unref(bus);
        gst_object_unref(in);
        gst_object_unref(sink);
        gst_object_unref(pipeline);
    }
    static GstBuffer* picture(int number)
    {
        std::vector<std::uint8_t> yuv(width * height * 3 / 2, 128);
        ingest::draw_pixel_clock({yuv.data(), width, width, height}, ingest::pixel_clock_now());
        auto* const buffer = gst_buffer_new_memdup(yuv.data(), yuv.size());
        GST_BUFFER_PTS(buffer) = static_cast<GstClockTime>(number) * 40 * GST_MSECOND;
        GST_BUFFER_DURATION(buffer) = 40 * GST_MSECOND;
        return buffer;
    }
    static GstFlowReturn on_sample(GstElement* sink, gpointer self)
    {
        auto* const sample = gst_app_sink_pull_sample(GST_APP_SINK(sink));
        auto* const buffer = gst_sample_get_buffer(sample);
        GstMapInfo map;
        gst_buffer_map(buffer, &map, GST_MAP_READ);
        static_cast<ClockedSource*>(self)->channel_->push(
            std::vector<std::uint8_t>(map.data, map.data + map.size));
        gst_buffer_unmap(buffer, &map);
        gst_sample_unref(sample);
        return GST_FLOW_OK;
    }

    std::shared_ptr<FakeChannel> channel_;
    int frames_;
    std::jthread thread_;
};

TEST_F(PlayerTest, measures_from_glass_to_glass)
{
    options.measure_clock = true;
    options.statistics_path = file("stats.json");
    ClockedSource const source{channel, 50};
    ASSERT_EQ(run(), 0) << err.str();
    auto const lines = statistics();
    auto const& last = lines.back();
    auto const& delays = last.at("glass_to_glass_ms").as_object();
    EXPECT_EQ(delays.at("frames").to_number<std::uint64_t>(),
              last.at("frames_shown").to_number<std::uint64_t>());
    EXPECT_GT(delays.at("frames").as_int64(), 0);
    EXPECT_EQ(delays.at("unreadable").as_int64(), 0);
    EXPECT_GT(delays.at("p50").as_int64(), 0);
    EXPECT_LE(delays.at("p50").as_int64(), delays.at("p95").as_int64());
    EXPECT_LE(delays.at("p95").as_int64(), delays.at("max").as_int64());
    RecordProperty("p50_ms", static_cast<int>(delays.at("p50").as_int64()));
}

} // namespace
} // namespace ppsp::player
