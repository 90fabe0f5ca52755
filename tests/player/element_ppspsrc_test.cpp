#include "fake_channel.hpp"
#include "player/plugin/ppspsrc.hpp"

#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>

namespace ppsp::player {
namespace {

using namespace std::chrono_literals;
using test::FakeChannel;

constexpr char const* some_link = "ppsp://127.0.0.1:7846/0dabcdef";

struct PpspSrcTest : testing::Test {
    std::shared_ptr<FakeChannel> channel = FakeChannel::make();
    GstElement* element = nullptr;
    GstBus* bus = nullptr;
    GstHarness* harness = nullptr;

    void SetUp() override
    {
        ASSERT_TRUE(register_ppspsrc(nullptr, channel->factory()));
        element = gst_element_factory_make("ppspsrc", nullptr);
        ASSERT_NE(element, nullptr);
        gst_object_ref_sink(element);
        bus = gst_bus_new();
        gst_element_set_bus(element, bus);
        g_object_set(element, "uri", some_link, nullptr);
    }
    void TearDown() override
    {
        if (harness) {
            gst_harness_teardown(harness);
        }
        gst_element_set_state(element, GST_STATE_NULL);
        gst_element_set_bus(element, nullptr);
        gst_object_unref(bus);
        EXPECT_EQ(GST_OBJECT_REFCOUNT_VALUE(element), 1) << "somebody kept the element";
        gst_object_unref(element);
        EXPECT_EQ(channel->sources_alive(), 0) << "the node is still there";
    }

    void play()
    {
        harness = gst_harness_new_with_element(element, nullptr, "src");
        gst_harness_play(harness);
    }

    /// The next message of one kind; nullptr after five seconds.
    GstMessage* wait_message(GstMessageType type)
    {
        return gst_bus_timed_pop_filtered(bus, 5 * GST_SECOND, type);
    }
    std::string wait_sentence(GstMessageType type)
    {
        auto* const message = wait_message(type);
        if (message == nullptr) {
            return "(no message)";
        }
        GError* error = nullptr;
        if (type == GST_MESSAGE_ERROR) {
            gst_message_parse_error(message, &error, nullptr);
        } else {
            gst_message_parse_info(message, &error, nullptr);
        }
        std::string sentence = error->message;
        g_error_free(error);
        gst_message_unref(message);
        return sentence;
    }
    std::string string_property(char const* name)
    {
        gchar* value = nullptr;
        g_object_get(element, name, &value, nullptr);
        std::string text = value ? value : "(null)";
        g_free(value);
        return text;
    }
};

struct Pulled {
    std::string text;
    bool discont = false;
    GstClockTime pts = 0;
};

Pulled pull(GstHarness* harness)
{
    auto* const buffer = gst_harness_pull(harness);
    if (buffer == nullptr) {
        ADD_FAILURE() << "no buffer came";
        return {};
    }
    GstMapInfo map;
    gst_buffer_map(buffer, &map, GST_MAP_READ);
    Pulled pulled{{reinterpret_cast<char const*>(map.data), map.size},
                  GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT) != FALSE,
                  GST_BUFFER_PTS(buffer)};
    gst_buffer_unmap(buffer, &map);
    gst_buffer_unref(buffer);
    return pulled;
}

TEST_F(PpspSrcTest, bytes_arrive_in_order_as_mpeg_ts)
{
    play();
    channel->push("first");
    channel->push("second");
    EXPECT_EQ(pull(harness).text, "first");
    EXPECT_EQ(pull(harness).text, "second");

    auto* const caps = gst_pad_get_current_caps(harness->sinkpad);
    ASSERT_NE(caps, nullptr);
    auto* const wanted = gst_caps_from_string("video/mpegts, systemstream=(boolean)true");
    EXPECT_TRUE(gst_caps_is_equal(caps, wanted));
    gst_caps_unref(wanted);
    gst_caps_unref(caps);
}

TEST_F(PpspSrcTest, only_a_gap_is_marked_as_discontinuity)
{
    play();
    channel->push("a");
    channel->push("b");
    channel->push("c", true);
    (void)pull(harness);
    EXPECT_FALSE(pull(harness).discont);
    EXPECT_TRUE(pull(harness).discont);
}

TEST_F(PpspSrcTest, pieces_carry_their_time_of_arrival)
{
    play();
    auto* const clock = gst_harness_get_testclock(harness);
    channel->push("a");
    EXPECT_EQ(pull(harness).pts, 0u);
    ASSERT_TRUE(channel->wait_until_starved());
    gst_test_clock_set_time(clock, 250 * GST_MSECOND);
    channel->push("b");
    EXPECT_EQ(pull(harness).pts, 250 * GST_MSECOND);
    gst_object_unref(clock);
}

TEST_F(PpspSrcTest, a_raised_target_becomes_latency_and_not_a_jump_of_the_timestamps)
{
    play();
    auto* const clock = gst_harness_get_testclock(harness);
    channel->push("a");
    (void)pull(harness);
    ASSERT_TRUE(channel->wait_until_starved());
    EXPECT_EQ(gst_harness_query_latency(harness), 0u);

    channel->set_latency_target(1500ms);
    gst_test_clock_set_time(clock, 750 * GST_MSECOND); // 50 ms of media, 700 ms of new delay
    channel->push("b");
    EXPECT_EQ(pull(harness).pts, 50 * GST_MSECOND);
    EXPECT_EQ(gst_harness_query_latency(harness), 700 * GST_MSECOND);
    auto* const message = wait_message(GST_MESSAGE_LATENCY);
    ASSERT_NE(message, nullptr) << "nobody was told to ask again";
    gst_message_unref(message);
    gst_object_unref(clock);
}

TEST_F(PpspSrcTest, the_latency_query_is_answered_live)
{
    play();
    auto* const query = gst_query_new_latency();
    ASSERT_TRUE(gst_element_query(element, query));
    gboolean live = FALSE;
    GstClockTime most = 0;
    gst_query_parse_latency(query, &live, nullptr, &most);
    EXPECT_TRUE(live);
    EXPECT_EQ(most, GST_CLOCK_TIME_NONE);
    gst_query_unref(query);
}

TEST_F(PpspSrcTest, is_live_unseekable_and_not_bandwidth_limited)
{
    play();
    auto* const scheduling = gst_query_new_scheduling();
    ASSERT_TRUE(gst_pad_peer_query(harness->sinkpad, scheduling));
    GstSchedulingFlags flags{};
    gst_query_parse_scheduling(scheduling, &flags, nullptr, nullptr, nullptr);
    EXPECT_FALSE(flags & GST_SCHEDULING_FLAG_BANDWIDTH_LIMITED);
    EXPECT_FALSE(flags & GST_SCHEDULING_FLAG_SEEKABLE);
    gst_query_unref(scheduling);
}

TEST_F(PpspSrcTest, stopping_while_nothing_comes_does_not_hang)
{
    play();
    ASSERT_TRUE(channel->wait_until_starved());
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
    EXPECT_EQ(channel->sources_alive(), 0);
}

TEST_F(PpspSrcTest, can_be_stopped_in_every_state_and_started_again)
{
    for (auto const top : {GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING}) {
        EXPECT_NE(gst_element_set_state(element, top), GST_STATE_CHANGE_FAILURE);
        EXPECT_EQ(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
        EXPECT_EQ(channel->sources_alive(), 0);
    }
    play();
    channel->push("again");
    EXPECT_EQ(pull(harness).text, "again");
}

TEST_F(PpspSrcTest, can_be_stopped_with_media_waiting)
{
    play();
    for (int i = 0; i < 100; ++i) {
        channel->push("media");
    }
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_NULL), GST_STATE_CHANGE_SUCCESS);
}

TEST_F(PpspSrcTest, a_pause_continues_at_the_live_edge)
{
    play();
    channel->push("before");
    EXPECT_EQ(pull(harness).text, "before");
    ASSERT_TRUE(channel->wait_until_starved());
    gst_element_set_state(element, GST_STATE_PAUSED);
    channel->push("missed");
    channel->push("live");
    gst_element_set_state(element, GST_STATE_PLAYING);
    auto const after = pull(harness);
    EXPECT_EQ(after.text, "live");
    EXPECT_TRUE(after.discont);
}

TEST_F(PpspSrcTest, an_ended_stream_sends_eos)
{
    play();
    channel->push("last");
    EXPECT_EQ(pull(harness).text, "last");
    channel->end();
    GstEvent* event = nullptr;
    while ((event = gst_harness_pull_event(harness)) != nullptr) {
        bool const is_eos = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
        gst_event_unref(event);
        if (is_eos) {
            return;
        }
    }
    FAIL() << "no EOS";
}

TEST_F(PpspSrcTest, a_failed_node_is_an_error_in_words)
{
    play();
    channel->fail("nobody has sent this channel for 30 s");
    EXPECT_EQ(wait_sentence(GST_MESSAGE_ERROR), "nobody has sent this channel for 30 s");
}

TEST_F(PpspSrcTest, a_refused_link_is_an_error_in_words)
{
    channel->refuse("the swarm id must be hex");
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    EXPECT_EQ(wait_sentence(GST_MESSAGE_ERROR), "the swarm id must be hex");
}

TEST_F(PpspSrcTest, no_link_is_an_error_in_words)
{
    g_object_set(element, "uri", nullptr, nullptr);
    EXPECT_EQ(gst_element_set_state(element, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    EXPECT_EQ(wait_sentence(GST_MESSAGE_ERROR),
              "no channel to play: set the property uri to a ppsp:// link");
}

TEST_F(PpspSrcTest, what_the_node_says_to_people_is_an_info_message)
{
    play();
    channel->say("waiting for the channel to start");
    EXPECT_EQ(wait_sentence(GST_MESSAGE_INFO), "waiting for the channel to start");
}

TEST_F(PpspSrcTest, joining_is_announced_with_swarm_and_address)
{
    play();
    auto* const message = wait_message(GST_MESSAGE_ELEMENT);
    ASSERT_NE(message, nullptr);
    auto const* const fields = gst_message_get_structure(message);
    EXPECT_TRUE(gst_structure_has_name(fields, joined_message));
    EXPECT_STREQ(gst_structure_get_string(fields, "swarm"), "0dabcdef");
    EXPECT_STREQ(gst_structure_get_string(fields, "udp"), "127.0.0.1:4242");
    gst_message_unref(message);
    EXPECT_EQ(string_property("swarm"), "0dabcdef");
    EXPECT_EQ(string_property("udp-address"), "127.0.0.1:4242");
}

TEST_F(PpspSrcTest, properties_reach_the_node)
{
    g_object_set(element, "latency-ms", 1200u, "upload-kbps", gint64{0}, "join-timeout", 7u,
                 "strict", TRUE, "forgive-link-loss", TRUE, "listen", "127.0.0.1:0", nullptr);
    play();
    auto const options = channel->last_options();
    EXPECT_EQ(options.link, some_link);
    EXPECT_EQ(options.latency, std::optional{1200ms});
    EXPECT_EQ(options.upload_kbps, std::optional<std::uint64_t>{0});
    EXPECT_EQ(options.join_timeout, 7s);
    EXPECT_TRUE(options.strict);
    EXPECT_TRUE(options.forgive_link_loss);
    EXPECT_EQ(options.listen, "127.0.0.1:0");
}

TEST_F(PpspSrcTest, properties_left_alone_mean_automatic)
{
    play();
    auto const options = channel->last_options();
    EXPECT_EQ(options.latency, std::nullopt);
    EXPECT_EQ(options.upload_kbps, std::nullopt);
    EXPECT_EQ(options.join_timeout, 30s);
    EXPECT_FALSE(options.strict);
    EXPECT_FALSE(options.forgive_link_loss);
}

TEST_F(PpspSrcTest, properties_read_back_what_was_set)
{
    g_object_set(element, "latency-ms", 900u, "upload-kbps", gint64{512}, nullptr);
    guint latency = 0;
    gint64 upload = 0;
    g_object_get(element, "latency-ms", &latency, "upload-kbps", &upload, nullptr);
    EXPECT_EQ(latency, 900u);
    EXPECT_EQ(upload, 512);
    g_object_set(element, "latency-ms", 0u, "upload-kbps", gint64{-1}, nullptr);
    g_object_get(element, "latency-ms", &latency, "upload-kbps", &upload, nullptr);
    EXPECT_EQ(latency, 0u);
    EXPECT_EQ(upload, -1);
    g_object_set(element, "location", "news.ppsp", nullptr);
    EXPECT_EQ(string_property("uri"), "news.ppsp");
}

TEST_F(PpspSrcTest, statistics_are_the_nodes_and_outlive_it)
{
    play();
    channel->set_statistics(R"({"stalls":3})");
    EXPECT_EQ(string_property("stats"), R"({"stalls":3})");
    guint target = 0;
    g_object_get(element, "latency-target-ms", &target, nullptr);
    EXPECT_EQ(target, 800u);
    gst_element_set_state(element, GST_STATE_NULL);
    EXPECT_EQ(string_property("stats"), R"({"stalls":3})");
}

TEST_F(PpspSrcTest, both_schemes_find_the_element)
{
    for (auto const* const uri : {"ppsp://127.0.0.1:1/00", "ppsps://tracker.example/00"}) {
        auto* const made = gst_element_make_from_uri(GST_URI_SRC, uri, nullptr, nullptr);
        ASSERT_NE(made, nullptr) << uri;
        gst_object_ref_sink(made);
        gchar* const kept = gst_uri_handler_get_uri(GST_URI_HANDLER(made));
        EXPECT_STREQ(kept, uri);
        g_free(kept);
        gst_object_unref(made);
    }
}

TEST_F(PpspSrcTest, another_scheme_is_refused)
{
    GError* error = nullptr;
    EXPECT_FALSE(gst_uri_handler_set_uri(GST_URI_HANDLER(element), "http://example.org/", &error));
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->code, GST_URI_ERROR_UNSUPPORTED_PROTOCOL);
    g_error_free(error);
}

TEST_F(PpspSrcTest, the_link_cannot_change_while_it_plays)
{
    play();
    GError* error = nullptr;
    EXPECT_FALSE(gst_uri_handler_set_uri(GST_URI_HANDLER(element), "ppsp://other:1/00", &error));
    ASSERT_NE(error, nullptr);
    EXPECT_EQ(error->code, GST_URI_ERROR_BAD_STATE);
    g_error_free(error);
    g_object_set(element, "uri", "ppsp://other:1/00", nullptr);
    EXPECT_EQ(string_property("uri"), some_link);
}

TEST_F(PpspSrcTest, an_exception_in_the_node_ends_as_an_error_message)
{
    ASSERT_TRUE(
        register_ppspsrc(nullptr, [](ViewerOptions, std::string&) -> std::unique_ptr<MediaSource> {
            throw std::runtime_error("out of sockets");
        }));
    auto* const broken = gst_element_factory_make("ppspsrc", nullptr);
    gst_object_ref_sink(broken);
    gst_element_set_bus(broken, bus);
    g_object_set(broken, "uri", some_link, nullptr);
    EXPECT_EQ(gst_element_set_state(broken, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    EXPECT_EQ(wait_sentence(GST_MESSAGE_ERROR), "out of sockets");
    gst_element_set_state(broken, GST_STATE_NULL);
    gst_element_set_bus(broken, nullptr);
    gst_object_unref(broken);
}

} // namespace
} // namespace ppsp::player
