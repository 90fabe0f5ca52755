#include "protocol/net/http.hpp"

#include <gtest/gtest.h>

namespace ppsp::net {
namespace {

TEST(NetUrl, parts_and_defaults)
{
    auto const url = parse_url("http://tracker.example.com/ppstp?x=1#part");
    ASSERT_TRUE(url.has_value());
    EXPECT_FALSE(url->is_https);
    EXPECT_EQ(url->host, "tracker.example.com");
    EXPECT_EQ(url->port, 80);
    EXPECT_EQ(url->target, "/ppstp?x=1");
    EXPECT_EQ(parse_url("https://a")->port, 443);
    EXPECT_EQ(parse_url("https://a")->target, "/");
    EXPECT_EQ(parse_url("http://a?x=1")->target, "/?x=1");
    EXPECT_EQ(parse_url("http://127.0.0.1:7846")->port, 7846);
}

TEST(NetUrl, ipv6_hosts_lose_their_brackets)
{
    auto const url = parse_url("http://[::1]:7846/");
    ASSERT_TRUE(url.has_value());
    EXPECT_EQ(url->host, "::1");
    EXPECT_EQ(url->port, 7846);
}

TEST(NetUrl, what_is_no_http_address_is_refused)
{
    for (auto const* text :
         {"", "a", "//a", "ftp://a", "http://", "http:///x", "http://a:0", "http://a:65536",
          "http://a:x", "http://user@a", "http://a b", "http://[::1", "ppsp://a/00",
          "http://a/\r\nX: y", "http://a%0d%0aX:%20y/", "http://a%20b/", "http://a%00/"}) {
        auto const url = parse_url(text);
        ASSERT_FALSE(url.has_value()) << text;
        EXPECT_EQ(url.error(), HttpError::bad_url);
    }
}

TEST(NetUrl, header_names_compare_without_case)
{
    HttpResponse response;
    response.headers.push_back({"Retry-After", "5"});
    EXPECT_EQ(response.header("retry-after"), "5");
    EXPECT_FALSE(response.header("retry").has_value());
}

} // namespace
} // namespace ppsp::net
