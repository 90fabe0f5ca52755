#include "peer/live/signature_budget.hpp"
#include "tests/conformance/one_engine.hpp"

#include <gtest/gtest.h>

/// Neighbours that send as much as they can of what costs us most: signatures that are wrong.
namespace ppsp::test {
namespace {

using namespace std::chrono_literals;
using peer::SignatureBudget;

constexpr peer::UnitIndex unit_0 = 40;

Endpoint endpoint_of(std::size_t number)
{
    return Endpoint::v4(0x0a010000 + static_cast<std::uint32_t>(number), 6778);
}

class FloodTest : public testing::Test {
protected:
    void begin(wire::SignatureAlgorithm algorithm)
    {
        OneEngine::Options options{.algorithm = algorithm};
        options.node.neighbours_max = 100;
        options.node.neighbours_target = 100;
        node.emplace(options);
        std::vector<Endpoint> all;
        for (std::size_t i = 0; i <= liars_max; ++i) {
            all.push_back(endpoint_of(i));
        }
        node->introduce(all);
        honest.emplace(*node, endpoint_of(0));
        for (std::size_t i = 1; i <= liars_max; ++i) {
            liars.emplace_back(*node, endpoint_of(i),
                               ChannelId{0x0bad0000 + static_cast<std::uint32_t>(i)});
        }
        std::size_t answered = 0;
        for (int i = 0; i < 200 && answered <= liars_max; ++i) { // it dials some at a time
            answered = 0;
            for (RawPeer* const peer : everybody()) {
                bool const is_open = to_number(peer->theirs) != 0 || peer->answer();
                answered += is_open ? 1 : 0;
            }
            node->run_for(50ms);
        }
        ASSERT_EQ(answered, liars_max + 1);
        SignedUnit const unit = node->sign(unit_0);
        honest->send(unit.whole(0, node->utc()));
        ASSERT_TRUE(acknowledges(unit));
        // A budget goes with the seconds of the clock.
        make_bad_munro(unit_0 + 30);
        node->run_for(1s - node->now().time_since_epoch() % 1s);
    }

    std::vector<RawPeer*> everybody()
    {
        std::vector<RawPeer*> all{&*honest};
        for (RawPeer& liar : liars) {
            all.push_back(&liar);
        }
        return all;
    }

    bool acknowledges(SignedUnit const& unit)
    {
        return ranges_of<wire::Ack>(honest->take_after(50ms)).contains(unit.chunk(0));
    }

    void make_bad_munro(peer::UnitIndex unit)
    {
        bad.emplace(node->sign(unit));
        bad->signature[5] ^= 1;
    }

    /// A munro of a unit that nobody knows, whose signature is nobody's.
    void send_bad_munro(RawPeer& liar) { liar.send(bad->munro()); }

    [[nodiscard]] std::size_t bans() const
    {
        std::size_t count = 0;
        for (peer::Event const& event : node->log().events) {
            auto const* const banned = std::get_if<peer::NeighbourBanned>(&event);
            count += banned && banned->reason == peer::BanReason::bad_signatures ? 1 : 0;
        }
        return count;
    }

    static constexpr std::size_t liars_max = 50;
    std::optional<OneEngine> node;
    std::optional<RawPeer> honest;
    std::vector<RawPeer> liars;
    std::optional<SignedUnit> bad;
};

TEST_F(FloodTest, ten_thousand_bad_signatures_a_second_from_one_are_three_checks_and_a_ban)
{
    begin(wire::SignatureAlgorithm::ecdsa_p256_sha256);
    for (int ms = 0; ms < 1000; ++ms) {
        for (int i = 0; i < 10; ++i) {
            send_bad_munro(liars[0]);
        }
        node->run_for(1ms);
    }
    EXPECT_EQ(node->figures().bad_signatures, 3u);
    EXPECT_EQ(bans(), 1u);
    SignedUnit const unit = node->sign(unit_0 + 31);
    honest->send(unit.whole(0, node->utc()));
    EXPECT_TRUE(acknowledges(unit));
}

TEST_F(FloodTest, strangers_together_have_so_many_checks_a_second)
{
    for (auto const& [algorithm, checks] :
         {std::pair{wire::SignatureAlgorithm::ecdsa_p256_sha256,
                    SignatureBudget::strangers_per_second_max},
          std::pair{wire::SignatureAlgorithm::ecdsa_p384_sha384,
                    SignatureBudget::strangers_per_second_max_p384}}) {
        liars.clear();
        begin(algorithm);
        for (int ms = 0; ms < 900; ++ms) {
            for (std::size_t i = 0; i < 10; ++i) {
                send_bad_munro(liars[(static_cast<std::size_t>(ms) * 10 + i) % liars_max]);
            }
            node->run_for(1ms);
        }
        EXPECT_EQ(node->figures().bad_signatures, checks);
        SignedUnit const unit = node->sign(unit_0 + 31);
        honest->send(unit.whole(0, node->utc()));
        EXPECT_TRUE(acknowledges(unit)) << "who showed good ones before is heard";
        make_bad_munro(unit_0 + 60);
        for (std::size_t ms = 0; ms < 4000; ++ms) {
            send_bad_munro(liars[ms % liars_max]);
            node->run_for(1ms);
        }
        EXPECT_EQ(node->figures().bad_signatures, 3 * liars_max);
        EXPECT_EQ(bans(), liars_max);
    }
}

TEST_F(FloodTest, who_is_not_heard_in_a_flood_is_not_blamed_for_it)
{
    begin(wire::SignatureAlgorithm::ecdsa_p256_sha256);
    RawPeer& stranger = liars.back(); // an honest one, this time
    for (std::size_t i = 0; i < 1000; ++i) {
        send_bad_munro(liars[i % (liars_max - 1)]);
    }
    ASSERT_EQ(node->figures().bad_signatures, SignatureBudget::strangers_per_second_max);
    for (peer::UnitIndex unit = unit_0 + 1; unit < unit_0 + 16; ++unit) {
        SignedUnit const signed_unit = node->sign(unit);
        stranger.send(signed_unit.whole(0, node->utc()));
        node->run_for(20ms);
        EXPECT_FALSE(ranges_of<wire::Ack>(stranger.take()).contains(signed_unit.chunk(0)));
    }
    node->run_for(1s);
    SignedUnit const unit = node->sign(unit_0 + 40);
    stranger.send(unit.whole(0, node->utc()));
    EXPECT_TRUE(ranges_of<wire::Ack>(stranger.take_after(50ms)).contains(unit.chunk(0)));
    EXPECT_EQ(node->log().count<peer::NeighbourBanned>(), bans());
}

TEST(SignatureBudget, strangers_and_others_do_not_take_from_one_another)
{
    SignatureBudget budget{wire::SignatureAlgorithm::ed25519};
    TimePoint const now{5s};
    std::uint32_t strangers = 0;
    while (budget.take(now, false)) {
        ++strangers;
    }
    EXPECT_EQ(strangers, SignatureBudget::strangers_per_second_max);
    std::uint32_t known = 0;
    while (budget.take(now + 999ms, true)) {
        ++known;
    }
    EXPECT_EQ(known, SignatureBudget::known_per_second_max);
    EXPECT_TRUE(budget.take(now + 1s, false)) << "each second has its own";
}

} // namespace
} // namespace ppsp::test
