#include "tests/sim/polluter.hpp"
#include "tests/sim/world.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ppsp::sim {
namespace {

constexpr peer::UnitIndex unit = 100;
constexpr peer::UnitIndex edge = 104;
Endpoint const victim = Endpoint::v4(0x14000101, 6778);

ChunkRange chunks_of(peer::UnitIndex index)
{
    return peer::UnitGrid{8}.chunks(index);
}

/// What a read datagram says; the bytes must outlive it.
std::vector<wire::Message> read(ByteVector const& bytes)
{
    wire::DatagramReader reader(bytes, {});
    std::vector<wire::Message> messages;
    for (auto message = reader.next();; message = reader.next()) {
        EXPECT_TRUE(message.has_value());
        if (!message || !*message) {
            return messages;
        }
        messages.push_back(**message);
    }
}

template <typename T>
T const* find(std::vector<wire::Message> const& messages)
{
    for (wire::Message const& message : messages) {
        if (auto const* found = std::get_if<T>(&message)) {
            return found;
        }
    }
    return nullptr;
}

class PolluterTest : public ::testing::Test {
protected:
    [[nodiscard]] static Polluter polluter(Pollution kind, double rate = 1)
    {
        return Polluter{{.kind = kind, .rate = rate, .format = {}, .chunks_per_unit = 8}, Rng{5}};
    }
    /// A munro, a chunk of its unit.
    [[nodiscard]] ByteVector datagram(peer::UnitIndex index = unit)
    {
        wire::DatagramWriter writer(ChannelId{77}, {}, 1472);
        EXPECT_TRUE(writer.add(wire::Integrity{chunks_of(index), hash_}));
        EXPECT_TRUE(writer.add(wire::SignedIntegrity{chunks_of(index), {}, signature_}));
        ChunkId const first = chunks_of(index).first;
        EXPECT_TRUE(writer.add(wire::Data{{first, first}, 0, payload_}));
        return writer.take();
    }
    [[nodiscard]] static bool same(Bytes a, Bytes b)
    {
        return std::equal(a.begin(), a.end(), b.begin(), b.end());
    }

    ByteVector hash_ = ByteVector(32, 1);
    ByteVector signature_ = ByteVector(64, 2);
    ByteVector payload_ = ByteVector(1024, 3);
};

TEST_F(PolluterTest, changes_bytes_and_nothing_else)
{
    Polluter liar = polluter(Pollution::bytes);
    ByteVector const out = liar.tamper(victim, datagram(), edge);
    auto const messages = read(out);
    ASSERT_EQ(messages.size(), 3u);
    EXPECT_FALSE(same(find<wire::Data>(messages)->payload, payload_));
    EXPECT_EQ(find<wire::Data>(messages)->payload.size(), payload_.size());
    EXPECT_TRUE(same(find<wire::SignedIntegrity>(messages)->signature, signature_));
    EXPECT_TRUE(same(find<wire::Integrity>(messages)->hash, hash_));
    EXPECT_EQ(liar.counts().bytes, 1u);
    EXPECT_TRUE(liar.lies(edge).empty());
}

TEST_F(PolluterTest, announces_what_it_does_not_send)
{
    Polluter liar = polluter(Pollution::haves);
    ByteVector const out = liar.tamper(victim, datagram(), edge);
    auto const messages = read(out);
    EXPECT_EQ(find<wire::Data>(messages), nullptr);
    ASSERT_NE(find<wire::Have>(messages), nullptr);
    EXPECT_EQ(find<wire::Have>(messages)->chunks.last, chunks_of(edge).last);
    auto const lies = liar.lies(edge + 1);
    ASSERT_EQ(lies.size(), 1u);
    EXPECT_EQ(lies[0].to, victim);
    EXPECT_EQ(find<wire::Have>(read(lies[0].datagram))->chunks.last, chunks_of(edge + 1).last);
}

TEST_F(PolluterTest, announces_what_does_not_exist_yet)
{
    Polluter liar = polluter(Pollution::early);
    ByteVector const out = liar.tamper(victim, datagram(), edge);
    auto const messages = read(out);
    EXPECT_GT(find<wire::Have>(messages)->chunks.last, chunks_of(edge + 40).last);
    EXPECT_GT(find<wire::Have>(read(liar.lies(edge).at(0).datagram))->chunks.last,
              chunks_of(edge + 40).last);
}

TEST_F(PolluterTest, forges_signatures)
{
    Polluter liar = polluter(Pollution::signatures);
    ByteVector const out = liar.tamper(victim, datagram(), edge);
    auto const messages = read(out);
    EXPECT_FALSE(same(find<wire::SignedIntegrity>(messages)->signature, signature_));
    EXPECT_TRUE(same(find<wire::Data>(messages)->payload, payload_));
}

TEST_F(PolluterTest, replays_the_oldest_munro_it_sent)
{
    Polluter liar = polluter(Pollution::replay);
    EXPECT_EQ(liar.tamper(victim, datagram(unit), edge), datagram(unit)) << "it has no older one";
    ByteVector const out = liar.tamper(victim, datagram(unit + 1), edge);
    auto const messages = read(out);
    EXPECT_EQ(find<wire::SignedIntegrity>(messages)->chunks, chunks_of(unit));
    EXPECT_EQ(find<wire::Integrity>(messages)->chunks, chunks_of(unit));
    EXPECT_EQ(find<wire::Data>(messages)->chunks.first, chunks_of(unit + 1).first);
}

TEST_F(PolluterTest, tampers_with_its_share_and_mixes_or_keeps_to_one_kind)
{
    Polluter half = polluter(Pollution::bytes, 0.5);
    for (int i = 0; i < 1000; ++i) {
        (void)half.tamper(victim, datagram(), edge);
    }
    EXPECT_NEAR(static_cast<double>(half.counts().bytes), 500, 60);
    Polluter mixed = polluter(Pollution::mixed);
    for (peer::UnitIndex i = 0; i < 200; ++i) {
        (void)mixed.tamper(victim, datagram(unit + i), edge + i);
    }
    Polluter::Counts const& all = mixed.counts();
    EXPECT_GT(std::min({all.bytes, all.haves, all.signatures, all.replays}), 20u);
    Polluter each = polluter(Pollution::each);
    for (peer::UnitIndex i = 0; i < 200; ++i) {
        (void)each.tamper(victim, datagram(unit + i), edge + i);
    }
    Polluter::Counts const& one = each.counts();
    std::array<std::uint64_t, 4> const kinds{one.bytes, one.haves, one.signatures, one.replays};
    EXPECT_EQ(std::count(kinds.begin(), kinds.end(), 0u), 3);
}

TEST_F(PolluterTest, handshakes_and_what_cannot_be_read_pass)
{
    Polluter liar = polluter(Pollution::haves);
    ByteVector const garbage{0, 0, 0, 1, 0xff, 1, 2};
    EXPECT_EQ(liar.tamper(victim, garbage, edge), garbage);
    ByteVector const keepalive{0, 0, 0, 1};
    EXPECT_EQ(liar.tamper(victim, keepalive, edge), keepalive);
    wire::DatagramWriter writer(ChannelId{5}, {}, 1472);
    ASSERT_TRUE(writer.add(wire::Handshake{ChannelId{0}, {}}));
    ByteVector const closing = writer.take();
    EXPECT_EQ(liar.tamper(victim, closing, edge), closing);
    EXPECT_TRUE(liar.lies(edge).empty()) << "it knows nobody";
}

// ---- whole swarms -------------------------------------------------------------------------------

Scenario poisoned()
{
    auto scenario = load_scenario(std::string{PPSP_SCENARIOS} + "/small.toml");
    EXPECT_TRUE(scenario.has_value());
    Scenario poison = scenario.value_or(Scenario{});
    poison.polluters = 0.2;
    return poison;
}

TEST(SimPoison, no_bad_byte_comes_out_and_honest_viewers_play_on)
{
    RunResult const result = World{poisoned()}.run();
    EXPECT_TRUE(result.violations.empty());
    EXPECT_EQ(result.polluted_bytes_out, 0u);
    EXPECT_GT(result.continuity, 0.99);
    EXPECT_LT(result.wasted_ratio, 0.03);
    EXPECT_GT(result.banned_peers, 0u);
    EXPECT_EQ(result.classes.at("polluter").peers, 8u) << "the share is exact";
}

TEST(SimPoison, announcements_that_are_not_kept_hurt_little)
{
    Scenario scenario = poisoned();
    scenario.pollution = "haves";
    scenario.peers = 25; // sanitizers take their time
    RunResult const result = World{scenario}.run();
    EXPECT_TRUE(result.violations.empty());
    EXPECT_GT(result.continuity, 0.985);
}

/// Cannot tell one text from another of the same length.
class BlindHasher final : public integrity::Hasher {
public:
    explicit BlindHasher(CryptoCounts& counts) : counted_(counts) {}
    [[nodiscard]] std::size_t size() const override { return counted_.size(); }
    [[nodiscard]] integrity::Hash digest(Bytes first, Bytes second) override
    {
        return counted_.digest(ByteVector(first.size()), ByteVector(second.size()));
    }

private:
    CountedHasher counted_;
};

TEST(SimPoison, the_auditor_sees_what_a_broken_check_lets_through)
{
    Scenario scenario = poisoned();
    scenario.pollution = "bytes";
    scenario.peers = 10; // the first wrong byte is enough
    scenario.seconds = 14;
    scenario.measure_from = 5;
    scenario.join_over = 2;
    World::CryptoMaker const blind = [](CryptoCounts& counts) {
        return World::Crypto{std::make_unique<BlindHasher>(counts),
                             std::make_unique<CountedChecker>(counts)};
    };
    EXPECT_GT(World(scenario, blind).run().polluted_bytes_out, 0u);
    scenario.polluters = 0;
    EXPECT_EQ(World(scenario, blind).run().polluted_bytes_out, 0u) << "of honest peers none";
}

TEST(SimPoison, words_for_kinds_are_checked)
{
    Scenario scenario = poisoned();
    scenario.pollution = "poison";
    EXPECT_NE(check(scenario).error().find("replay"), std::string::npos);
    EXPECT_EQ(pollution_of("replay"), Pollution::replay);
    EXPECT_FALSE(pollution_of("").has_value());
}

} // namespace
} // namespace ppsp::sim
