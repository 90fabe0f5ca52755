#include "protocol/base/endpoint.hpp"

#include <gtest/gtest.h>
#include <unordered_set>

namespace ppsp {
namespace {

using namespace std::string_view_literals;

AddressScope scope_of(std::string_view address)
{
    auto const endpoint = Endpoint::parse_address(address, 1);
    EXPECT_TRUE(endpoint) << address;
    return endpoint.value_or(Endpoint{}).scope();
}

TEST(BaseEndpoint, parses_what_it_prints)
{
    for (std::string_view const text :
         {"192.0.2.1:6778", "0.0.0.0:0", "255.255.255.255:65535", "[2001:db8::1]:6778", "[::]:0",
          "[::1]:1", "[fe80::1:2:3:4]:9"}) {
        auto const endpoint = Endpoint::parse(text);
        ASSERT_TRUE(endpoint) << text;
        EXPECT_EQ(endpoint->text(), text);
    }
}

TEST(BaseEndpoint, refuses_what_is_no_address_and_port)
{
    for (std::string_view const text : {""sv,
                                        ":"sv,
                                        "192.0.2.1"sv,
                                        "192.0.2.1:"sv,
                                        "192.0.2.1:65536"sv,
                                        "192.0.2.1:-1"sv,
                                        "192.0.2.1:+1"sv,
                                        "192.0.2.1: 1"sv,
                                        "192.0.2.1:1 "sv,
                                        " 192.0.2.1:1"sv,
                                        "192.0.2:1"sv,
                                        "192.0.2.256:1"sv,
                                        "localhost:1"sv,
                                        "2001:db8::1:6778"sv,
                                        "[2001:db8::1]"sv,
                                        "[2001:db8::1]:"sv,
                                        "[2001:db8::1:1"sv,
                                        "2001:db8::1]:1"sv,
                                        "[]:1"sv,
                                        "[[::1]]:1"sv,
                                        "[fe80::1%eth0]:1"sv,
                                        "192.0.2.1\0:1"sv,
                                        "192.0.2.1:1\0"sv}) {
        EXPECT_FALSE(Endpoint::parse(text)) << text;
    }
}

TEST(BaseEndpoint, address_alone_may_have_brackets)
{
    EXPECT_EQ(Endpoint::parse_address("[::1]", 7), Endpoint::parse("[::1]:7"));
    EXPECT_EQ(Endpoint::parse_address("::1", 7), Endpoint::parse("[::1]:7"));
    EXPECT_EQ(Endpoint::parse_address("10.0.0.1", 7), Endpoint::parse("10.0.0.1:7"));
    EXPECT_FALSE(Endpoint::parse_address("", 7));
    EXPECT_FALSE(Endpoint::parse_address("[", 7));
    EXPECT_FALSE(Endpoint::parse_address("10.0.0.1:7", 7));
}

TEST(BaseEndpoint, ipv4_has_one_value)
{
    auto const four = Endpoint::v4(0xc000'0221, 6778);
    EXPECT_TRUE(four.is_v4());
    EXPECT_EQ(four.v4_address(), 0xc000'0221u);
    EXPECT_EQ(four.port(), 6778);
    EXPECT_EQ(four, Endpoint::parse("[::ffff:192.0.2.33]:6778"));
    EXPECT_EQ(four, Endpoint::v6(four.v6_address(), 6778));
    EXPECT_EQ(four.address_text(), "192.0.2.33");
    EXPECT_FALSE(Endpoint::parse("[2001:db8::1]:1")->is_v4());
    EXPECT_FALSE(Endpoint{}.is_v4());
}

TEST(BaseEndpoint, equality_takes_the_port_and_same_address_does_not)
{
    auto const one = Endpoint::v4(1, 1);
    auto const other_port = Endpoint::v4(1, 2);
    EXPECT_NE(one, other_port);
    EXPECT_TRUE(one.same_address(other_port));
    EXPECT_FALSE(one.same_address(Endpoint::v4(2, 1)));
    EXPECT_LT(one, other_port);
    std::unordered_set<Endpoint> const set{one, other_port, one};
    EXPECT_EQ(set.size(), 2u);
}

TEST(Ppspp, S8_13_a_scopes_of_ipv4)
{
    using enum AddressScope;
    EXPECT_EQ(scope_of("0.0.0.0"), unspecified);
    EXPECT_EQ(scope_of("127.0.0.1"), loopback);
    EXPECT_EQ(scope_of("127.255.255.255"), loopback);
    EXPECT_EQ(scope_of("128.0.0.1"), global);
    EXPECT_EQ(scope_of("169.254.1.1"), link_local);
    EXPECT_EQ(scope_of("169.255.0.0"), global);
    EXPECT_EQ(scope_of("10.255.255.255"), private_network);
    EXPECT_EQ(scope_of("11.0.0.0"), global);
    EXPECT_EQ(scope_of("172.16.0.0"), private_network);
    EXPECT_EQ(scope_of("172.31.255.255"), private_network);
    EXPECT_EQ(scope_of("172.32.0.0"), global);
    EXPECT_EQ(scope_of("192.168.0.1"), private_network);
    EXPECT_EQ(scope_of("192.169.0.1"), global);
    EXPECT_EQ(scope_of("100.64.0.0"), private_network);
    EXPECT_EQ(scope_of("100.127.255.255"), private_network);
    EXPECT_EQ(scope_of("100.128.0.0"), global);
    EXPECT_EQ(scope_of("224.0.0.1"), multicast);
    EXPECT_EQ(scope_of("239.255.255.255"), multicast);
    EXPECT_EQ(scope_of("255.255.255.255"), multicast);
    EXPECT_EQ(scope_of("8.8.8.8"), global);
}

TEST(Ppspp, S8_13_a_scopes_of_ipv6)
{
    using enum AddressScope;
    EXPECT_EQ(scope_of("::"), unspecified);
    EXPECT_EQ(scope_of("::1"), loopback);
    EXPECT_EQ(scope_of("::2"), global);
    EXPECT_EQ(scope_of("fe80::1"), link_local);
    EXPECT_EQ(scope_of("febf::1"), link_local);
    EXPECT_EQ(scope_of("fec0::1"), global);
    EXPECT_EQ(scope_of("fc00::1"), private_network);
    EXPECT_EQ(scope_of("fdff::1"), private_network);
    EXPECT_EQ(scope_of("ff02::1"), multicast);
    EXPECT_EQ(scope_of("2001:db8::1"), global);
    EXPECT_EQ(scope_of("::ffff:10.0.0.1"), private_network); // no way around the rule for IPv4
}

} // namespace
} // namespace ppsp
