#include "protocol/decade/live_index.hpp"
#include "tests/protocol/decade_objects.hpp"
#include "tests/support/properties.hpp"

namespace ppsp::decade {
namespace {

using test::Channel;

class LiveIndexTest : public testing::Test {
protected:
    [[nodiscard]] LiveIndex index(std::size_t count = 3)
    {
        LiveIndex index;
        index.swarm_id = channel.id;
        index.sequence = 7;
        index.made_at = Channel::start;
        for (std::uint64_t i = 0; i < count; ++i) {
            IndexedObject object{NiName::of(*channel.hasher, as_bytes(std::to_string(i))),
                                 {ChunkId{i * 160}, ChunkId{i * 160 + 159}},
                                 165'000,
                                 0,
                                 0,
                                 {}};
            object.first_signed = Channel::start + static_cast<UnixMicros>(i) * 500'000;
            object.last_signed = object.first_signed + 450'000;
            if (i % 2 == 0) {
                object.random_access = {ChunkId{i * 160 + 3}, ChunkId{i * 160 + 100}};
            }
            index.objects.push_back(object);
        }
        return index;
    }
    [[nodiscard]] Result<LiveIndex, IndexError> parse(std::string const& text)
    {
        return parse_index(text, channel.id, checker);
    }
    /// Signs a line of one's own, as a faulty source would.
    [[nodiscard]] std::string sign(std::string const& line)
    {
        return line + "\n\"" +
               to_hex(channel.signer->sign(as_bytes("ppsp-live-index/1\n" + line))) + "\"\n";
    }
    [[nodiscard]] std::string line() { return to_text(index(), *channel.signer); }
    /// The line of a good index with one part replaced, signed again.
    [[nodiscard]] Result<LiveIndex, IndexError> parse_with(std::string const& from,
                                                           std::string const& to)
    {
        auto text = line();
        text = text.substr(0, text.find('\n'));
        auto const at = text.find(from);
        EXPECT_NE(at, std::string::npos) << from;
        return parse(sign(text.replace(at, from.size(), to)));
    }

    Channel channel;
    integrity::OpensslChecker checker;
};

TEST_F(LiveIndexTest, what_is_written_is_read_back)
{
    for (std::size_t const count : {std::size_t{0}, std::size_t{3}, index_objects_max}) {
        auto const read = parse(to_text(index(count), *channel.signer));
        ASSERT_TRUE(read.has_value()) << to_string(read.error());
        EXPECT_EQ(*read, index(count));
    }
}

TEST_F(LiveIndexTest, text_is_two_lines_of_json)
{
    auto const text = line();
    auto const end = text.find('\n');
    EXPECT_EQ(text.substr(0, 60),
              R"({"type":"ppsp-live-index/1","swarm":")" + to_hex(channel.id).substr(0, 23));
    EXPECT_EQ(text.at(end + 1), '"');
    EXPECT_EQ(text.size(), end + 1 + 1 + 128 + 1 + 1);
}

TEST_F(LiveIndexTest, an_index_is_found_by_chunk)
{
    auto const one = index();
    EXPECT_EQ(one.find(ChunkId{160}), &one.objects[1]);
    EXPECT_EQ(one.find(ChunkId{319}), &one.objects[1]);
    EXPECT_EQ(one.find(ChunkId{480}), nullptr);
}

TEST_F(LiveIndexTest, every_changed_byte_is_noticed)
{
    auto const text = line();
    auto const end = text.find('\n');
    for (std::size_t i = 0; i < text.size() - 1; i += i < end ? 7 : 1) {
        auto bad = text;
        bad[i] = bad[i] == '0' ? '1' : '0';
        EXPECT_FALSE(parse(bad).has_value()) << i;
    }
    EXPECT_EQ(parse(text.substr(0, end)).error(), IndexError::malformed);
    EXPECT_EQ(parse("").error(), IndexError::malformed);
    EXPECT_EQ(parse(std::string(index_text_size_max + 1, ' ')).error(), IndexError::too_large);
}

TEST_F(LiveIndexTest, another_channels_index_is_refused)
{
    Channel other;
    EXPECT_EQ(parse(to_text(index(), *other.signer)).error(), IndexError::bad_signature);
    auto foreign = index();
    foreign.swarm_id = other.id;
    EXPECT_EQ(parse(to_text(foreign, *channel.signer)).error(), IndexError::other_swarm);
}

TEST_F(LiveIndexTest, a_source_that_writes_nonsense_is_refused)
{
    EXPECT_TRUE(parse_with("\"sequence\":7", "\"sequence\":8,\"later\":[]").has_value());
    auto const malformed = [this](std::string const& from, std::string const& to) {
        auto const read = parse_with(from, to);
        return !read && read.error() == IndexError::malformed;
    };
    EXPECT_TRUE(malformed("live-index/1", "live-index/2"));
    EXPECT_TRUE(malformed("\"sequence\":7", "\"sequence\":-7"));
    EXPECT_TRUE(malformed("\"sequence\":7", "\"sequence\":7.5"));
    EXPECT_TRUE(malformed("\"sequence\":7,", ""));
    EXPECT_TRUE(malformed("\"chunk_size\":1024", "\"chunk_size\":0"));
    EXPECT_TRUE(malformed("\"chunks_per_unit\":16", "\"chunks_per_unit\":0"));
    EXPECT_TRUE(malformed("\"chunks_per_unit\":16", "\"chunks_per_unit\":64"));
    EXPECT_TRUE(malformed("\"first\":0,", "\"first\":1,"));
    EXPECT_TRUE(malformed("\"first\":0,", "\"first\":160,"));
    EXPECT_TRUE(malformed("\"first\":160,", "\"first\":144,")); // overlaps
    EXPECT_TRUE(malformed("\"random_access\":[3", "\"random_access\":[160"));
    EXPECT_TRUE(malformed("ni:///", "no:///"));
    EXPECT_TRUE(malformed("\"bytes\":165000", "\"bytes\":165000000"));
    EXPECT_EQ(parse(sign("null")).error(), IndexError::malformed);
    EXPECT_EQ(parse(sign("[[[[")).error(), IndexError::malformed);
}

TEST_F(LiveIndexTest, stale_and_replayed_ones_are_recognised)
{
    auto one = index();
    auto const now = one.made_at + 500'000;
    EXPECT_EQ(freshness(one, 0, now), IndexFreshness::fresh);
    EXPECT_EQ(freshness(one, 6, now), IndexFreshness::fresh);
    EXPECT_EQ(freshness(one, 7, now), IndexFreshness::same);
    EXPECT_EQ(freshness(one, 8, now), IndexFreshness::replayed);
    auto const edge = (index_age_max + index_clock_slack).count();
    EXPECT_EQ(freshness(one, 0, one.made_at + edge), IndexFreshness::fresh);
    EXPECT_EQ(freshness(one, 0, one.made_at + edge + 1), IndexFreshness::too_old);
    EXPECT_EQ(freshness(one, 0, one.made_at - index_clock_slack.count()), IndexFreshness::fresh);
    EXPECT_EQ(freshness(one, 0, one.made_at - index_clock_slack.count() - 1),
              IndexFreshness::from_future);
}

TEST_F(LiveIndexTest, paths)
{
    ByteVector const swarm{0x0d, 0xab};
    EXPECT_EQ(index_path(swarm), "/decade/v1/live/0dab/index");
    EXPECT_EQ(alias_path(swarm, {ChunkId{160}, ChunkId{319}}), "/decade/v1/live/0dab/160-319");
    EXPECT_EQ(parse_alias("160-319"), (ChunkRange{ChunkId{160}, ChunkId{319}}));
    EXPECT_EQ(parse_alias("0-0"), (ChunkRange{ChunkId{0}, ChunkId{0}}));
    for (auto const* text : {"", "-", "1-", "-1", "2-1", "01-2", "1-2-3", "+1-2", "1-2 ", "a-b",
                             "1-99999999999999999999"}) {
        EXPECT_EQ(parse_alias(text), std::nullopt) << text;
    }
}

} // namespace
} // namespace ppsp::decade
