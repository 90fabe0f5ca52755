#include "protocol/integrity/membership.hpp"
#include "tests/tracker/api_fixture.hpp"

namespace ppsp::tracker::api_test {
namespace {

class MembershipTest : public ApiTest {
protected:
    std::optional<ppstp::MembershipGrant> granted(ppstp::Response const& response) const
    {
        return response.swarm_results.empty() ? std::nullopt
                                              : response.swarm_results.front().membership;
    }

    static constexpr UnixMicros utc_at_zero = 1'790'000'000'000'000;
    std::string swarm_ = "0d" + std::string(128, 'a');
    integrity::PrivateKey key_ = integrity::PrivateKey::generate().value();
    integrity::OpensslMembershipChecker checker_;
};

TEST_F(MembershipTest, PP_12_2_2_who_joins_gets_a_certificate_for_the_address_that_it_comes_from)
{
    EXPECT_FALSE(granted(ask("without", join(swarm_))));
    api_->issue_memberships(key_, utc_at_zero);
    auto connect = join(swarm_, PeerMode::leech, 6778, "198.51.100.7");
    connect.peer_addresses.emplace_back().endpoint = *Endpoint::parse("203.0.113.66:53");
    auto const grant = granted(ask("p", connect, "198.51.100.7:40000"));
    ASSERT_TRUE(grant.has_value());
    EXPECT_EQ(grant->issuer, key_.swarm_id());
    auto const utc = utc_at_zero + now_.time_since_epoch().count();
    auto const said = checker_.check(grant->certificate, key_.swarm_id(), *from_hex(swarm_), utc);
    ASSERT_TRUE(said.has_value());
    EXPECT_EQ(said->endpoint, *Endpoint::parse("198.51.100.7:6778"));
    EXPECT_EQ(said->until - said->from, std::int64_t{grant->valid_s} * 1'000'000);
}

TEST_F(MembershipTest, nobody_gets_one_for_the_host_of_another)
{
    api_->issue_memberships(key_, utc_at_zero);
    // Behind one router addresses of others are listed, too.
    auto connect = join(swarm_, PeerMode::leech, 53, "192.168.1.4");
    connect.peer_addresses.emplace_back().endpoint = *Endpoint::parse("192.168.1.5:6778");
    auto const grant = granted(ask("p", connect, "192.168.1.5:40000"));
    ASSERT_TRUE(grant.has_value());
    auto const utc = utc_at_zero + now_.time_since_epoch().count();
    auto const said = checker_.check(grant->certificate, key_.swarm_id(), *from_hex(swarm_), utc);
    ASSERT_TRUE(said.has_value());
    EXPECT_EQ(said->endpoint, *Endpoint::parse("192.168.1.5:6778"));
}

TEST_F(MembershipTest, a_find_brings_the_next_one_and_who_leaves_gets_none)
{
    api_->issue_memberships(key_, utc_at_zero);
    static_cast<void>(ask("p", join(swarm_)));
    now_ += std::chrono::seconds{30};
    auto const renewed = granted(ask("p", ppstp::Find{swarm_, {}}));
    ASSERT_TRUE(renewed.has_value());
    auto const later = utc_at_zero + now_.time_since_epoch().count() + 3'600'000'000;
    EXPECT_TRUE(checker_.check(renewed->certificate, key_.swarm_id(), *from_hex(swarm_), later));
    EXPECT_FALSE(granted(ask("p", leave(swarm_))));
}

} // namespace
} // namespace ppsp::tracker::api_test
