#include "tracker/registry/address_policy.hpp"
#include "tracker/registry/rate_limit.hpp"
#include "tracker/registry/replay_cache.hpp"
#include "tracker/registry/uplink.hpp"

#include <gtest/gtest.h>

#include <array>

namespace ppsp::tracker {
namespace {

constexpr TimePoint start{std::chrono::hours{1}};

Endpoint at(std::string_view text)
{
    return *Endpoint::parse(text);
}

TEST(TokenBucket, a_burst_and_then_the_rate)
{
    TokenBucket bucket;
    int passed = 0;
    for (int i = 0; i < 100; ++i) {
        passed += bucket.take(start, 10);
    }
    EXPECT_EQ(passed, 20);
    for (int i = 0; i < 100; ++i) {
        passed += bucket.take(start + 1s, 10);
    }
    EXPECT_EQ(passed, 30);
}

TEST(AddressRateLimit, each_address_has_its_own_share)
{
    AddressRateLimit limit(1, 64);
    EXPECT_TRUE(limit.take(start, at("192.0.2.1:1")));
    EXPECT_TRUE(limit.take(start, at("192.0.2.1:2")));
    EXPECT_FALSE(limit.take(start, at("192.0.2.1:3")));
    EXPECT_TRUE(limit.take(start, at("192.0.2.2:1")));
}

TEST(AddressRateLimit, an_ipv6_host_has_one_share_for_its_prefix)
{
    AddressRateLimit limit(1, 64);
    EXPECT_TRUE(limit.take(start, at("[2001:db8::1]:1")));
    EXPECT_TRUE(limit.take(start, at("[2001:db8::2]:1")));
    EXPECT_FALSE(limit.take(start, at("[2001:db8::3]:1")));
    EXPECT_TRUE(limit.take(start, at("[2001:db8:0:1::1]:1")));
}

TEST(AddressRateLimit, a_flood_of_addresses_costs_no_memory_and_locks_nobody_out)
{
    AddressRateLimit limit(1, 64);
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        EXPECT_TRUE(limit.take(start + Duration(i), Endpoint::v4(0x0100'0000 + i, 1)));
    }
}

TEST(ReplayCache, an_answer_is_remembered_for_its_time)
{
    Limits const limits;
    ReplayCache cache(limits);
    cache.store(start, "p", "t", "body", "answer");
    ASSERT_NE(cache.find(start + 119s, "p", "t", "body"), nullptr);
    EXPECT_EQ(*cache.find(start + 119s, "p", "t", "body"), "answer");
    EXPECT_EQ(cache.find(start, "p", "t", "other"), nullptr); // trap P7
    EXPECT_EQ(cache.find(start, "q", "t", "body"), nullptr);
    EXPECT_EQ(cache.find(start + 120s, "p", "t", "body"), nullptr);
    EXPECT_EQ(cache.size(), 0u);
    EXPECT_EQ(cache.byte_count(), 0u);
}

TEST(ReplayCache, answers_are_bounded_in_number_and_size)
{
    Limits limits;
    limits.replays_max = 10;
    limits.replay_bytes_max = 100;
    ReplayCache cache(limits);
    for (int i = 0; i < 50; ++i) {
        cache.store(start, "p", std::to_string(i), "body", "x");
    }
    EXPECT_EQ(cache.size(), 10u);
    EXPECT_EQ(cache.find(start, "p", "39", "body"), nullptr);
    EXPECT_NE(cache.find(start, "p", "40", "body"), nullptr);
    cache.store(start, "p", "large", "body", std::string(95, 'x'));
    EXPECT_LE(cache.byte_count(), 100u);
    EXPECT_NE(cache.find(start, "p", "large", "body"), nullptr);
    cache.store(start, "p", "too large", "body", std::string(101, 'x'));
    EXPECT_EQ(cache.byte_count(), 0u);
}

TEST(ReplayCache, the_same_id_again_replaces_the_answer)
{
    Limits const limits;
    ReplayCache cache(limits);
    cache.store(start, "p", "t", "one", "1");
    cache.store(start + 60s, "p", "t", "two", "22");
    EXPECT_EQ(cache.find(start + 100s, "p", "t", "one"), nullptr);
    ASSERT_NE(cache.find(start + 130s, "p", "t", "two"), nullptr); // the first is too old by then
    EXPECT_EQ(cache.byte_count(), 2u);
}

TEST(UplinkMeter, receipts_add_up_to_a_rate)
{
    UplinkMeter meter;
    std::array<ReceiptBudget, 4> receivers;
    for (int report = 0; report < 12; ++report) {
        for (auto& receiver : receivers) {
            meter.add_receipt(start + 10s * report, receiver, 1'250'000); // 1 Mbit/s for 10 s
        }
    }
    EXPECT_NEAR(meter.proven_kbps(), 4000, 800);
}

TEST(UplinkMeter, a_newcomers_first_receipts_prove_something_at_once)
{
    UplinkMeter meter(start);
    EXPECT_EQ(meter.proven_kbps(), 0u);
    std::array<ReceiptBudget, 4> receivers;
    meter.add_receipt(start + 4s, receivers[0], 500'000); // 1 Mbit/s since it is known
    EXPECT_NEAR(meter.proven_kbps(), 1000, 10);
    meter.add_receipt(start + 4s, receivers[1], 500'000);
    meter.add_receipt(start + 5s, receivers[2], 625'000);
    meter.add_receipt(start + 5s, receivers[3], 625'000);
    EXPECT_NEAR(meter.proven_kbps(), 3600, 10) << "the first two have not told the last second";
    // Each reports every 10 s from then on.
    for (int report = 1; report < 12; ++report) {
        for (std::size_t i = 0; i < receivers.size(); ++i) {
            meter.add_receipt(start + (i < 2 ? 4s : 5s) + 10s * report, receivers[i], 1'250'000);
        }
        EXPECT_GE(meter.proven_kbps(), 2800u);
        EXPECT_LE(meter.proven_kbps(), 4500u);
    }
    EXPECT_NEAR(meter.proven_kbps(), 4000, 400);
}

TEST(UplinkMeter, the_first_receipt_of_a_peer_known_for_long_covers_one_interval)
{
    UplinkMeter meter(start);
    ReceiptBudget receiver;
    meter.add_receipt(start + 300s, receiver, 1'250'000);
    EXPECT_NEAR(meter.proven_kbps(), 1000, 10);
}

TEST(UplinkMeter, a_burst_is_no_rate_and_nothing_proves_nothing)
{
    UplinkMeter meter(start);
    ReceiptBudget receiver;
    meter.add_receipt(start, receiver, 0);
    EXPECT_EQ(meter.proven_kbps(), 0u);
    meter.add_receipt(start + 100ms, receiver, 375'000);
    EXPECT_NEAR(meter.proven_kbps(), 1000, 10) << "counts as 3 s";
}

TEST(UplinkMeter, one_receiver_cannot_vouch_for_a_data_centre)
{
    for (auto const interval : {10s, 1s}) {
        for (int receipts = 1; receipts <= 64; receipts *= 8) {
            UplinkMeter meter(start);
            ReceiptBudget accomplice;
            for (auto now = start; now < start + 120s; now += interval) {
                for (int i = 0; i < receipts; ++i) {
                    meter.add_receipt(now, accomplice, ~std::uint64_t{0});
                }
                EXPECT_LE(meter.proven_kbps(), 32'000u) << (now - start).count();
            }
        }
    }
}

TEST(UplinkMeter, what_a_receiver_vouches_for_is_shared_by_its_friends)
{
    std::array<UplinkMeter, 10> meters;
    ReceiptBudget accomplice;
    for (int report = 0; report < 12; ++report) {
        for (auto& meter : meters) {
            meter.add_receipt(start + 10s * report, accomplice, ~std::uint64_t{0});
        }
    }
    std::uint64_t sum = 0;
    for (auto const& meter : meters) {
        sum += meter.proven_kbps();
    }
    EXPECT_LE(sum, 32'000u);
}

TEST(UplinkMeter, a_receiver_of_a_fat_stream_is_believed)
{
    std::array<UplinkMeter, 10> meters;
    meters.fill(UplinkMeter(start));
    ReceiptBudget receiver;
    // 20 Mbit/s from ten neighbours, who all came with the receiver.
    for (auto& meter : meters) {
        meter.add_receipt(start + 3s, receiver, 750'000);
    }
    for (auto const& meter : meters) {
        EXPECT_NEAR(meter.proven_kbps(), 2000, 20);
    }
}

ppstp::PeerAddress named(std::string_view text, std::uint32_t priority = 1)
{
    ppstp::PeerAddress address;
    address.endpoint = at(text);
    address.priority = priority;
    return address;
}

std::vector<std::string> texts(std::vector<ListedAddress> const& listed)
{
    std::vector<std::string> result;
    for (auto const& address : listed) {
        result.push_back(address.endpoint.text() + (address.is_local ? " local" : ""));
    }
    return result;
}

using Texts = std::vector<std::string>;

TEST(AddressPolicy, an_address_that_the_connection_proves_is_listed)
{
    EXPECT_EQ(texts(listed_addresses(at("198.51.100.7:40000"), {named("198.51.100.7:6778")}, 4)),
              Texts{"198.51.100.7:6778"});
}

TEST(AddressPolicy, P12_a_victims_address_is_never_listed)
{
    // What remains is the port at the address that asked.
    EXPECT_EQ(texts(listed_addresses(at("198.51.100.7:40000"), {named("203.0.113.9:53")}, 4)),
              Texts{"198.51.100.7:53"});
    EXPECT_EQ(texts(listed_addresses(at("127.0.0.1:40000"), {named("203.0.113.9:53")}, 4)),
              Texts{"127.0.0.1:53"});
    EXPECT_EQ(texts(listed_addresses(at("198.51.100.7:40000"), {named("127.0.0.1:22")}, 4)),
              Texts{"198.51.100.7:22"});
    EXPECT_TRUE(listed_addresses(at("198.51.100.7:40000"), {}, 4).empty());
}

TEST(AddressPolicy, private_addresses_among_private_networks)
{
    EXPECT_EQ(texts(listed_addresses(at("127.0.0.1:40000"), {named("10.0.0.5:6778")}, 4)),
              Texts{"10.0.0.5:6778"});
    EXPECT_EQ(texts(listed_addresses(at("192.168.1.2:40000"), {named("10.0.0.5:6778")}, 4)),
              Texts{"10.0.0.5:6778"});
}

TEST(AddressPolicy, behind_a_nat_the_inside_address_is_for_inside)
{
    auto const listed = listed_addresses(at("198.51.100.7:40000"), {named("192.168.1.2:6778")}, 4);
    EXPECT_EQ(texts(listed), (Texts{"198.51.100.7:6778", "192.168.1.2:6778 local"}));
    EXPECT_EQ(listed[0].type, ppstp::AddressType::reflexive);
}

TEST(AddressPolicy, addresses_are_bounded_and_the_preferred_stay)
{
    std::vector<ppstp::PeerAddress> many;
    for (std::uint32_t i = 0; i < 16; ++i) {
        many.push_back(named("127.0.0.1:" + std::to_string(1000 + i), i));
    }
    auto const listed = listed_addresses(at("127.0.0.1:40000"), many, 4);
    EXPECT_EQ(texts(listed),
              (Texts{"127.0.0.1:1015", "127.0.0.1:1014", "127.0.0.1:1013", "127.0.0.1:1012"}));
}

TEST(Ppstp, S4_1_1_c_no_address_for_those_who_gather_their_own)
{
    ppstp::Connect connect;
    connect.peer_addresses = {named("192.168.1.2:6778")};
    auto const seen = seen_address(at("198.51.100.7:40000"), connect);
    ASSERT_TRUE(seen.has_value());
    EXPECT_EQ(seen->endpoint, at("198.51.100.7:6778"));
    EXPECT_EQ(seen->type, ppstp::AddressType::reflexive);
    connect.peer_num = ppstp::PeerNumber{};
    connect.peer_num->ability_nat = ppstp::NatAbility::stun;
    EXPECT_FALSE(seen_address(at("198.51.100.7:40000"), connect).has_value());
}

} // namespace
} // namespace ppsp::tracker
