#include "peer/shell/media_output.hpp"
#include "peer/shell/socket_address.hpp"
#include "tests/peer/ts_stream.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace ppsp::peer {
namespace {

std::unique_ptr<MediaOutput> open(std::string const& target, bool is_stopping = false)
{
    auto output = MediaOutput::open(target, [is_stopping] { return is_stopping; });
    EXPECT_TRUE(output) << output.error();
    return output ? *std::move(output) : nullptr;
}

TEST(MediaOutput, files_get_every_byte)
{
    std::string const path = testing::TempDir() + "shell_media_output_test.ts";
    ByteVector const media(100'000, 7);
    {
        auto const output = open(path);
        EXPECT_TRUE(output->write(media));
        EXPECT_TRUE(output->write(media));
    }
    EXPECT_EQ(std::filesystem::file_size(path), 200'000U);
    std::remove(path.c_str());
}

TEST(MediaOutput, a_file_takes_a_piece_in_one_call)
{
    std::string const path = testing::TempDir() + "shell_media_output_test.once";
    int asked = 0;
    auto const output = MediaOutput::open(path, [&asked] {
        ++asked;
        return false;
    });
    ASSERT_TRUE(output);
    EXPECT_TRUE((*output)->write(ByteVector(100'000, 7)));
    EXPECT_EQ(asked, 1); // before each call of the system
    std::remove(path.c_str());
}

TEST(MediaOutput, says_why_it_cannot)
{
    ByteVector const media(10'000, 7);
    auto const full = open("/dev/full")->write(media);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error(), "no space left on the disk for /dev/full");
    for (char const* target : {"/nonexistent/x", "udp://nowhere", "udp://h:0", "udp://"}) {
        auto const output = MediaOutput::open(target, [] { return false; });
        ASSERT_FALSE(output) << target;
        EXPECT_NE(output.error().find(target), std::string::npos) << output.error();
    }
}

TEST(MediaOutput, a_pipe_without_reader_gives_a_sentence)
{
    std::signal(SIGPIPE, SIG_IGN);
    std::string const path = testing::TempDir() + "shell_media_output_test.fifo";
    std::remove(path.c_str());
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    int const reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    auto const output = open(path);
    EXPECT_TRUE(output->write(ByteVector(100, 1)));
    ::close(reader);
    auto const broken = output->write(ByteVector(100, 1));
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error(), "the reader of " + path + " has gone");
    std::remove(path.c_str());
}

TEST(MediaOutput, a_reader_that_does_not_read_does_not_keep_us_from_ending)
{
    std::string const path = testing::TempDir() + "shell_media_output_test.slow";
    std::remove(path.c_str());
    ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
    int const reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK);
    int asked = 0;
    auto const output = MediaOutput::open(path, [&asked] { return ++asked > 20; });
    ASSERT_TRUE(output);
    EXPECT_TRUE((*output)->write(ByteVector(2'000'000, 1))); // a pipe holds 64 KiB
    EXPECT_EQ(asked, 21);
    ::close(reader);
    std::remove(path.c_str());
}

TEST(MediaOutput, datagrams_carry_seven_packets)
{
    int const socket = ::socket(AF_INET, SOCK_DGRAM, 0);
    auto const address = to_socket_address(*Endpoint::parse("127.0.0.1:0"), false);
    ASSERT_EQ(::bind(socket, address.get(), address.size), 0);
    timeval const timeout{10, 0};
    ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    sockaddr_storage bound{};
    socklen_t size = sizeof(bound);
    ASSERT_EQ(::getsockname(socket, reinterpret_cast<sockaddr*>(&bound), &size), 0);

    auto const output = open("udp://127.0.0.1:" + std::to_string(to_endpoint(bound).port()));
    test::TsStream ts;
    ByteVector stream;
    for (int i = 0; i < 15; ++i) {
        ByteVector const packet = ts.video_rest();
        stream.insert(stream.end(), packet.begin(), packet.end());
    }
    EXPECT_TRUE(output->write(Bytes{stream}.first(1'000)));
    EXPECT_TRUE(output->write(Bytes{stream}.subspan(1'000)));
    ByteVector got(65'536);
    for (std::size_t at : {0U, 1'316U}) {
        ssize_t const count = ::recv(socket, got.data(), got.size(), 0);
        ASSERT_EQ(count, 1'316);
        EXPECT_TRUE(std::equal(got.begin(), got.begin() + count,
                               stream.begin() + static_cast<std::ptrdiff_t>(at)));
    }
    ::close(socket);
}

} // namespace
} // namespace ppsp::peer
