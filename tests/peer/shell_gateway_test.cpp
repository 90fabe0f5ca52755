#include "peer/shell/gateway.hpp"
#include "peer/shell/socket_address.hpp"
#include "peer/shell/stream_start.hpp"
#include "tests/peer/ts_stream.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sys/socket.h>
#include <unistd.h>

namespace ppsp::peer {
namespace {

constexpr std::uint8_t h264 = 0x1b;

/// A blocking TCP client; a read that takes 10 s fails.
class Connection {
public:
    explicit Connection(Endpoint const& to) : fd_(::socket(AF_INET, SOCK_STREAM, 0))
    {
        timeval const timeout{10, 0};
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
        auto const address = to_socket_address(to, false);
        EXPECT_EQ(::connect(fd_, address.get(), address.size), 0);
    }
    ~Connection() { ::close(fd_); }
    Connection(Connection const&) = delete;
    Connection& operator=(Connection const&) = delete;

    void send(std::string const& text)
    {
        EXPECT_EQ(::send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
                  static_cast<ssize_t>(text.size()));
    }
    /// Empty at the end.
    std::string read_some()
    {
        std::string buffer(65'536, '\0');
        ssize_t const count = ::recv(fd_, buffer.data(), buffer.size(), 0);
        buffer.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
        return buffer;
    }
    std::string read_all()
    {
        std::string all;
        for (std::string part = read_some(); !part.empty(); part = read_some()) {
            all += part;
        }
        return all;
    }
    std::string read_at_least(std::size_t size)
    {
        std::string all;
        while (all.size() < size) {
            std::string const part = read_some();
            if (part.empty()) {
                ADD_FAILURE() << "the connection ended after " << all.size() << " bytes";
                break;
            }
            all += part;
        }
        return all;
    }

private:
    int fd_;
};

class GatewayTest : public testing::Test {
protected:
    void open(std::filesystem::path script = {})
    {
        auto opened =
            Gateway::open({*Endpoint::parse("127.0.0.1:0"), "0d1234",
                           [] { return std::string{"{\"media_bytes\":5}"}; }, std::move(script)});
        ASSERT_TRUE(opened) << opened.error();
        gateway = *std::move(opened);
    }
    std::string get(std::string const& target, std::string const& host = "localhost",
                    std::string const& method = "GET")
    {
        Connection connection(gateway->local_endpoint());
        connection.send(method + " " + target + " HTTP/1.1\r\nHost: " + host + "\r\n\r\n");
        return connection.read_all();
    }
    /// A client of the stream whose header has arrived, so the gateway knows it.
    std::unique_ptr<Connection> watch()
    {
        auto connection = std::make_unique<Connection>(gateway->local_endpoint());
        connection->send("GET /stream.ts HTTP/1.1\r\nHost: localhost\r\n\r\n");
        std::string header;
        while (header.find("\r\n\r\n") == std::string::npos) {
            header += connection->read_some();
        }
        EXPECT_NE(header.find("video/mp2t"), std::string::npos);
        early = header.substr(header.find("\r\n\r\n") + 4);
        return connection;
    }
    ByteVector key_frame() { return test::concat({ts.pat(), ts.pmt(h264), ts.video(true)}); }

    test::TsStream ts;
    std::string early; ///< media that came together with the header
    std::unique_ptr<Gateway> gateway;
};

TEST_F(GatewayTest, every_client_begins_at_tables_and_a_key_frame)
{
    open();
    gateway->push(test::concat({ts.video_rest(), ts.audio()}), false); // before any key frame
    ByteVector const start = key_frame();
    gateway->push(start, false);
    ByteVector const more = test::concat({ts.video_rest(), ts.video_rest()});
    gateway->push(more, false);
    auto const connection = watch();
    std::string const wanted =
        std::string(start.begin(), start.end()) + std::string(more.begin(), more.end());
    std::string const got = early + connection->read_at_least(wanted.size() - early.size());
    EXPECT_EQ(got, wanted);
    ByteVector const next = ts.video(false);
    gateway->push(next, false);
    EXPECT_EQ(connection->read_at_least(next.size()), std::string(next.begin(), next.end()));
}

TEST_F(GatewayTest, who_comes_first_waits_for_a_key_frame)
{
    open();
    auto const connection = watch();
    gateway->push(ts.video_rest(), false);
    ByteVector const start = key_frame();
    gateway->push(start, false);
    EXPECT_EQ(early + connection->read_at_least(start.size()),
              std::string(start.begin(), start.end()));
}

TEST_F(GatewayTest, slow_clients_are_dropped_and_others_are_not)
{
    open();
    gateway->push(key_frame(), false);
    auto const slow = watch();
    // Far more than the system's buffers and ours together, and nobody reads.
    ByteVector piece;
    for (int i = 0; i < 5'000; ++i) {
        ByteVector const packet = ts.video_rest();
        piece.insert(piece.end(), packet.begin(), packet.end());
    }
    std::size_t pushed = 0;
    while (pushed < 3 * Gateway::client_backlog_max) {
        gateway->push(piece, false);
        pushed += piece.size();
    }
    EXPECT_LT(slow->read_all().size(), pushed);
    gateway->push(key_frame(), false);
    auto const fresh = watch();
    EXPECT_GE(early.size() + fresh->read_at_least(1).size(), 188U);
}

TEST_F(GatewayTest, players_have_a_limit)
{
    open();
    std::vector<std::unique_ptr<Connection>> players;
    for (std::size_t i = 0; i < Gateway::clients_max; ++i) {
        players.push_back(watch());
    }
    EXPECT_EQ(get("/stream.ts").rfind("HTTP/1.1 503", 0), 0U);
}

TEST_F(GatewayTest, status_and_metrics)
{
    open();
    EXPECT_NE(get("/status").find("{\"media_bytes\":5}"), std::string::npos);
    EXPECT_NE(get("/metrics").find("ppsp_peer_media_bytes 5\n"), std::string::npos);
}

TEST_F(GatewayTest, the_page_has_a_video_only_where_the_script_is)
{
    open();
    std::string const plain = get("/");
    EXPECT_NE(plain.find("stream.ts"), std::string::npos);
    EXPECT_EQ(plain.find("<video"), std::string::npos);
    EXPECT_EQ(get("/mpegts.js").rfind("HTTP/1.1 404", 0), 0U);

    std::string const script = testing::TempDir() + "shell_gateway_test_mpegts.js";
    std::ofstream(script) << "var mpegts;";
    open(script);
    EXPECT_NE(get("/").find("<video"), std::string::npos);
    EXPECT_NE(get("/mpegts.js").find("var mpegts;"), std::string::npos);
    std::remove(script.c_str());
}

TEST_F(GatewayTest, wrong_requests_get_an_answer)
{
    open();
    EXPECT_EQ(get("/nothing").rfind("HTTP/1.1 404", 0), 0U);
    EXPECT_EQ(get("/status", "localhost", "POST").rfind("HTTP/1.1 405", 0), 0U);
    EXPECT_EQ(get("/status", "evil.example").rfind("HTTP/1.1 403", 0), 0U);
    EXPECT_EQ(get("/stream.ts", "evil.example").rfind("HTTP/1.1 403", 0), 0U);
    std::string const head = get("/stream.ts", "127.0.0.1:80", "HEAD");
    EXPECT_EQ(head.rfind("HTTP/1.1 200", 0), 0U);
    Connection garbage(gateway->local_endpoint());
    garbage.send("\x16\x03\x01 this is not HTTP\r\n\r\n");
    EXPECT_EQ(garbage.read_all(), "");
    Connection large(gateway->local_endpoint());
    large.send("GET / HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n");
    EXPECT_EQ(large.read_all(), "");
}

TEST_F(GatewayTest, a_taken_port_gives_a_sentence)
{
    open();
    auto const second = Gateway::open({gateway->local_endpoint(), "", {}, {}});
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().find("is in use"), std::string::npos) << second.error();
}

TEST(StreamStart, gives_whole_packets_whatever_the_pieces)
{
    test::TsStream ts;
    StreamStart start;
    ByteVector const stream =
        test::concat({ts.pat(), ts.pmt(h264), ts.video(true), ts.video_rest(), ts.audio()});
    ByteVector out;
    for (std::size_t at = 0; at < stream.size(); at += 100) {
        auto const piece =
            start.push(Bytes{stream}.subspan(at, std::min<std::size_t>(100, stream.size() - at)));
        EXPECT_EQ(piece.size() % ts::packet_size, 0U);
        out.insert(out.end(), piece.begin(), piece.end());
    }
    EXPECT_EQ(out, stream);
    EXPECT_EQ(start.backlog(), stream);
}

TEST(StreamStart, prepends_tables_that_came_long_before_the_key_frame)
{
    test::TsStream ts;
    StreamStart start;
    ByteVector const pat = ts.pat();
    ByteVector const pmt = ts.pmt(h264);
    static_cast<void>(start.push(test::concat({pat, pmt, ts.video_rest(), ts.audio()})));
    EXPECT_TRUE(start.backlog().empty());
    ByteVector const key = ts.video(true);
    static_cast<void>(start.push(key));
    EXPECT_EQ(start.backlog(), test::concat({pat, pmt, key}));
    start.discontinuity();
    EXPECT_TRUE(start.backlog().empty());
    ByteVector const next = ts.video(true);
    static_cast<void>(start.push(next));
    EXPECT_EQ(start.backlog(), test::concat({pat, pmt, next}));
}

TEST(StreamStart, a_stream_without_key_frames_is_not_kept_for_ever)
{
    test::TsStream ts;
    StreamStart start;
    static_cast<void>(start.push(test::concat({ts.pat(), ts.pmt(h264), ts.video(true)})));
    ByteVector piece;
    for (int i = 0; i < 5'000; ++i) {
        ByteVector const packet = ts.video_rest();
        piece.insert(piece.end(), packet.begin(), packet.end());
    }
    for (int i = 0; i < 20; ++i) {
        static_cast<void>(start.push(piece));
        EXPECT_LE(start.backlog().size(), StreamStart::backlog_max);
    }
    EXPECT_TRUE(start.backlog().empty());
}

} // namespace
} // namespace ppsp::peer
