#include "peer/shell/publisher.hpp"

#include "peer/decade/cdn_folder.hpp"
#include "protocol/net/http_server.hpp"

#include <boost/asio/io_context.hpp>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>
#include <unistd.h>

/// Bounds of what a source keeps for a web server, and of what it leaves there.
namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;

constexpr decade::ObjectFormat small{wire::AddressingMode::chunk32, 16, 4};

class PublisherTest : public testing::Test {
protected:
    void SetUp() override
    {
        folder = std::filesystem::path(testing::TempDir()) /
                 ("ppsp-publisher-" + std::to_string(::getpid()));
        std::filesystem::remove_all(folder);
        net::HttpServerOptions listen;
        listen.listen = Endpoint::v4(0x7f00'0001, 0);
        auto opened = net::HttpServer::open(
            context.get_executor(), listen, [this](net::HttpRequest const& request) {
                std::string const target(request.target);
                (request.method == "PUT" ? puts : deletes).push_back(target);
                net::HttpReply reply;
                reply.status = request.method == "PUT" ? 201 : 204;
                return reply;
            });
        ASSERT_TRUE(opened.has_value());
        server = *std::move(opened);
        PublisherOptions options;
        options.cdn_folder = folder.string();
        options.cdn_put = net::Url{false, "127.0.0.1", server->local_endpoint().port(), "/"};
        options.on_message = [](std::string const&) {};
        auto made = Publisher::open(std::move(options), key);
        ASSERT_TRUE(made.has_value());
        publisher = *std::move(made);
        publisher->begin(small, ObjectCollector::object_time); // an object a unit
    }
    void TearDown() override
    {
        publisher.reset();
        server.reset();
        std::filesystem::remove_all(folder);
    }

    static ChunkRange chunks(std::uint64_t unit)
    {
        ChunkId const first{unit * small.chunks_per_unit};
        return {first, first + (small.chunks_per_unit - 1)};
    }
    [[nodiscard]] std::string alias(std::uint64_t unit) const
    {
        return decade::alias_path(key.swarm_id(), chunks(unit));
    }
    void add(std::uint64_t unit)
    {
        CollectedUnit made;
        made.chunks = chunks(unit);
        made.signed_at = to_ntp(static_cast<UnixMicros>(1'790'000'000'000'000 + unit * 500'000));
        made.signature.assign(64, 1); // nobody reads it here
        made.payload.assign(std::size_t{small.chunk_size} * small.chunks_per_unit,
                            static_cast<std::uint8_t>(unit));
        publisher->add(std::move(made));
    }
    template <typename Condition>
    void serve_until(Condition&& condition)
    {
        auto const end = std::chrono::steady_clock::now() + 20s;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            context.run_one_for(100ms);
        }
        EXPECT_TRUE(condition());
    }
    [[nodiscard]] std::vector<std::string> put_aliases() const
    {
        std::vector<std::string> found;
        auto const live = decade::live_path(key.swarm_id());
        for (auto const& target : puts) {
            if (target.starts_with(live) && !target.ends_with("/index")) {
                found.push_back(target);
            }
        }
        return found;
    }

    integrity::PrivateKey key = *integrity::PrivateKey::generate();
    boost::asio::io_context context;
    std::unique_ptr<net::HttpServer> server;
    std::unique_ptr<Publisher> publisher;
    std::filesystem::path folder;
    std::vector<std::string> puts;
    std::vector<std::string> deletes;
};

TEST_F(PublisherTest, a_web_server_keeps_so_many_objects_and_no_more)
{
    constexpr std::size_t more = 3;
    for (std::size_t unit = 0; unit < CdnFolder::objects_max + more; ++unit) {
        add(unit);
        // Object, alias and index, and none is lost because the server is slow.
        serve_until([&] { return puts.size() == 3 * (unit + 1); });
        if (unit < CdnFolder::objects_max) {
            ASSERT_TRUE(deletes.empty()) << unit;
        }
    }
    serve_until([&] { return deletes.size() >= 2 * more; });
    ASSERT_EQ(deletes.size(), 2 * more);
    for (std::size_t unit = 0; unit < more; ++unit) {
        EXPECT_EQ(deletes[2 * unit], puts[3 * unit]) << "by name";
        EXPECT_EQ(deletes[2 * unit + 1], alias(unit));
    }
}

TEST_F(PublisherTest, a_server_that_does_not_answer_loses_the_oldest_objects)
{
    constexpr std::uint64_t objects = 3 * Publisher::waiting_max;
    for (std::uint64_t unit = 0; unit < objects; ++unit) {
        add(unit);
    }
    // An object is in the folder before the next one is queued for the server.
    auto const last = folder / alias(objects - 1).substr(1);
    auto const end = std::chrono::steady_clock::now() + 20s;
    while (!std::filesystem::exists(last) && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
    }
    ASSERT_TRUE(std::filesystem::exists(last));
    serve_until([&] {
        auto const aliases = put_aliases();
        return !aliases.empty() && aliases.back() == alias(objects - 1);
    });
    auto const aliases = put_aliases();
    // Beside what waited: one that was on its way, and one that came while they were counted.
    ASSERT_GE(aliases.size(), Publisher::waiting_max);
    EXPECT_LE(aliases.size(), 2 + Publisher::waiting_max);
    for (std::size_t i = 1; i <= Publisher::waiting_max; ++i) {
        EXPECT_EQ(aliases[aliases.size() - i], alias(objects - i));
    }
}

} // namespace
} // namespace ppsp::peer
