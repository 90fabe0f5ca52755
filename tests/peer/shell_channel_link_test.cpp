#include "peer/shell/channel_link.hpp"

#include "protocol/base/rng.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ppsp::peer {
namespace {

std::string live_id()
{
    return "0d" + std::string(128, 'a');
}

LinkError error_of(std::string const& text)
{
    auto const link = parse_link(text);
    EXPECT_FALSE(link.has_value()) << text;
    return link ? LinkError::too_long : link.error();
}

TEST(ChannelLink, names_tracker_and_swarm)
{
    auto const link = parse_link("ppsp://127.0.0.1:7846/" + live_id());
    ASSERT_TRUE(link);
    EXPECT_EQ(to_hex(link->swarm), live_id());
    ASSERT_EQ(link->trackers.size(), 1U);
    EXPECT_EQ(link->trackers[0][0].url(), "http://127.0.0.1:7846");
    EXPECT_TRUE(link->peers.empty());
}

TEST(ChannelLink, ppsps_means_https_and_the_port_has_a_default)
{
    auto const link = parse_link("ppsps://tracker.example/" + live_id());
    ASSERT_TRUE(link);
    EXPECT_EQ(link->trackers[0][0].url(), "https://tracker.example:7846");
}

TEST(ChannelLink, schemes_have_no_case)
{
    auto const link = parse_link("PPSPs://tracker.example/" + live_id() + "?cdn=HTTP://d/");
    ASSERT_TRUE(link);
    EXPECT_EQ(link->trackers[0][0].url(), "https://tracker.example:7846");
    EXPECT_EQ(link->cdn, std::vector<std::string>{"HTTP://d/"});
    EXPECT_EQ(parse_tracker_url("HTTPS://t")->url(), "https://t:7846");
    EXPECT_TRUE(is_web_url("Http://d/"));
}

TEST(ChannelLink, v6_tracker_keeps_its_brackets)
{
    auto const link = parse_link("ppsp://[2001:db8::1]:80/" + live_id());
    ASSERT_TRUE(link);
    EXPECT_EQ(link->trackers[0][0].url(), "http://[2001:db8::1]:80");
}

TEST(ChannelLink, peers_replace_the_tracker)
{
    auto const link = parse_link("ppsp:///" + live_id() + "?peer=10.0.0.1:6778&peer=%5B::1%5D:9");
    ASSERT_TRUE(link);
    EXPECT_TRUE(link->trackers.empty());
    ASSERT_EQ(link->peers.size(), 2U);
    EXPECT_EQ(link->peers[0].text(), "10.0.0.1:6778");
    EXPECT_EQ(link->peers[1].text(), "[::1]:9");
}

TEST(ChannelLink, members_are_percent_decoded_and_unknown_ones_ignored)
{
    auto const link = parse_link("ppsp://h:1/" + live_id() +
                                 "?cache=http%3A%2F%2Fc%3A7069&cdn=https://d/a%2Bb+c&new=1");
    ASSERT_TRUE(link);
    EXPECT_EQ(link->caches, std::vector<std::string>{"http://c:7069"});
    EXPECT_EQ(link->cdn, std::vector<std::string>{"https://d/a+b+c"});
}

TEST(ChannelLink, a_fragment_after_an_empty_query_is_no_member)
{
    for (std::string const end : {"?", "?#", "?#length=5&", "#length=5", "?&#length=5&"}) {
        auto const link = parse_link("ppsp://h:1/" + live_id() + end);
        ASSERT_TRUE(link) << end;
        EXPECT_EQ(link->length, std::nullopt) << end;
    }
}

TEST(ChannelLink, recordings_have_a_root_hash_and_a_length)
{
    auto const link = parse_link("ppsp://h:1/" + std::string(64, 'b') + "?length=12345");
    ASSERT_TRUE(link);
    EXPECT_TRUE(is_recording_id(link->swarm));
    EXPECT_FALSE(is_live_id(link->swarm));
    EXPECT_EQ(link->length, 12345U);
}

TEST(ChannelLink, says_what_is_wrong)
{
    EXPECT_EQ(error_of(""), LinkError::not_a_link);
    EXPECT_EQ(error_of("movie.mp4"), LinkError::not_a_link);
    EXPECT_EQ(error_of("ppsp:" + live_id()), LinkError::not_a_link);
    EXPECT_EQ(error_of("http://h:1/" + live_id()), LinkError::unknown_scheme);
    EXPECT_EQ(error_of("ppsp://h:0/" + live_id()), LinkError::bad_tracker);
    EXPECT_EQ(error_of("ppsp://h:99999/" + live_id()), LinkError::bad_tracker);
    EXPECT_EQ(error_of("ppsp://me@h:1/" + live_id()), LinkError::bad_tracker);
    EXPECT_EQ(error_of("ppsps:///" + live_id()), LinkError::bad_tracker);
    EXPECT_EQ(error_of("ppsp://h:1/"), LinkError::no_swarm);
    EXPECT_EQ(error_of("ppsp://h:1"), LinkError::no_swarm);
    EXPECT_EQ(error_of("ppsp://h:1/a/" + live_id()), LinkError::no_swarm);
    EXPECT_EQ(error_of("ppsp://h:1/zz"), LinkError::bad_swarm);
    EXPECT_EQ(error_of("ppsp://h:1/" + live_id().substr(0, 100)), LinkError::bad_swarm);
    EXPECT_EQ(error_of("ppsp:///" + live_id() + "?peer=nowhere"), LinkError::bad_peer);
    EXPECT_EQ(error_of("ppsp:///" + live_id() + "?peer=h:0"), LinkError::bad_peer);
    EXPECT_EQ(error_of("ppsp://h:1/" + live_id() + "?cache=ftp://c"), LinkError::bad_cache);
    EXPECT_EQ(error_of("ppsp://h:1/" + live_id() + "?cdn="), LinkError::bad_cdn);
    EXPECT_EQ(error_of("ppsp://h:1/" + live_id() + "?length=-1"), LinkError::bad_length);
    EXPECT_EQ(error_of("ppsp:///" + live_id()), LinkError::nobody_to_ask);
    EXPECT_EQ(error_of("ppsp://h:1/" + std::string(link_size_max, 'a')), LinkError::too_long);
}

TEST(ChannelLink, every_error_has_its_own_sentence)
{
    std::vector<std::string_view> sentences;
    for (int i = 0; i <= static_cast<int>(LinkError::nobody_to_ask); ++i) {
        auto const text = sentence(static_cast<LinkError>(i));
        EXPECT_EQ(std::count(sentences.begin(), sentences.end(), text), 0) << text;
        EXPECT_EQ(text.find('\n'), std::string_view::npos);
        sentences.push_back(text);
    }
}

TEST(ChannelLink, lists_have_a_limit)
{
    std::string text = "ppsp:///" + live_id() + "?peer=h:1";
    for (std::size_t i = 0; i < 2 * link_members_max; ++i) {
        text += "&peer=h:1&cache=http://c&cdn=http://d";
    }
    auto const link = parse_link(text);
    ASSERT_TRUE(link);
    EXPECT_EQ(link->peers.size(), link_members_max);
    EXPECT_EQ(link->caches.size(), link_members_max);
    EXPECT_EQ(link->cdn.size(), link_members_max);
}

TEST(ChannelLink, what_was_formatted_reads_back)
{
    ChannelLink link;
    link.swarm = *from_hex(live_id());
    for (bool const has_tracker : {true, false}) {
        link.trackers.clear();
        if (has_tracker) {
            link.trackers = {{TrackerAddress{{"::1", 7846}, true}}};
        }
        link.peers = {{"peer.example", 1}, {"::1", 65535}};
        link.caches = {"http://cache:1/?a=b&c=%20"};
        link.cdn = {"https://cdn/+%2B"};
        auto const back = parse_link(format_link(link));
        ASSERT_TRUE(back) << format_link(link);
        EXPECT_EQ(*back, link) << format_link(link);
    }
}

TEST(ChannelLink, garbage_gives_an_error_or_a_link_that_reads_back)
{
    std::string const seed_text =
        "ppsp://[::1]:7846/" + live_id() + "?peer=a:1&cache=http://c/%41&cdn=https://d&length=7";
    Rng rng{0x11bb};
    int readable = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string text = seed_text;
        for (auto edits = rng.below(4); edits > 0; --edits) {
            text[rng.below(text.size())] = static_cast<char>(rng.below(256));
        }
        text.resize(rng.chance(0.2) ? rng.below(text.size()) : text.size());
        auto const link = parse_link(text);
        if (link) {
            ++readable;
            EXPECT_EQ(parse_link(format_link(*link)), link) << text;
        }
    }
    EXPECT_GT(readable, 1000);
}

TEST(TrackerUrl, takes_http_and_https_without_a_path)
{
    EXPECT_EQ(parse_tracker_url("http://h:1")->url(), "http://h:1");
    EXPECT_EQ(parse_tracker_url("https://h:1/ppstp")->url(), "https://h:1");
    EXPECT_EQ(parse_tracker_url("http://h/")->url(), "http://h:7846");
    for (char const* bad :
         {"", "h:1", "ftp://h", "http://", "http://h/x", "http://h?x", "http://h:0"}) {
        EXPECT_FALSE(parse_tracker_url(bad)) << bad;
    }
}

TEST(HostPort, reads_names_and_both_families)
{
    EXPECT_EQ(parse_host_port("a-b.example:1"), (HostPort{"a-b.example", 1}));
    EXPECT_EQ(parse_host_port("[::1]:2"), (HostPort{"::1", 2}));
    for (char const* bad : {"", ":1", "h", "h:", "h:-1", "h:65536", "::1:2", "[::1]", "[h]:1",
                            "h h:1", "[]:1", "h:1x"}) {
        EXPECT_FALSE(parse_host_port(bad)) << bad;
    }
}

TEST(HostPort, listening_needs_an_address)
{
    EXPECT_EQ(parse_listen_address("localhost:5")->text(), "127.0.0.1:5");
    EXPECT_EQ(parse_listen_address("0.0.0.0:0")->text(), "0.0.0.0:0");
    EXPECT_EQ(parse_listen_address("[::]:0")->text(), "[::]:0");
    EXPECT_FALSE(parse_listen_address("tracker.example:1"));
}

} // namespace
} // namespace ppsp::peer
