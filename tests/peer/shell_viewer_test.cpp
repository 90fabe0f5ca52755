#include "peer/shell/swarm_session.hpp"
#include "protocol/integrity/openssl_signature.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <gtest/gtest.h>
#include <ppsp/peer.hpp>

#include <algorithm>

namespace ppsp::peer {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr auto wait_max = std::chrono::seconds{30};

/// A source on loopback that cuts a unit every 50 ms of real time.
class Source {
public:
    Source()
    {
        SwarmSession::Options options;
        options.link.swarm = signer_->swarm_id();
        options.node.listen = *Endpoint::parse("127.0.0.1:0");
        auto session = SwarmSession::open(std::move(options));
        EXPECT_TRUE(session) << session.error();
        session_ = *std::move(session);
        session_->node().ask([this] {
            LiveSwarmConfig config;
            config.id = signer_->swarm_id();
            config.role = Role::source;
            config.chunks_per_unit = chunks_per_unit;
            session_->join(config, signer_.get());
        });
    }

    /// Cuts the units that are due.
    void run()
    {
        while (SteadyClock::now() >= next_) {
            bool random_access = false;
            ByteVector unit = media_.next_unit(units_ % 20 == 0, random_access);
            stream_.insert(stream_.end(), unit.begin(), unit.end());
            session_->node().ask([&] {
                session_->node().handle(UnitCut{signer_->swarm_id(), unit, random_access});
            });
            ++units_;
            next_ += std::chrono::milliseconds{50};
        }
    }

    [[nodiscard]] std::string link() const
    {
        return "ppsp:///" + to_hex(signer_->swarm_id()) +
               "?peer=" + session_->node().local_endpoint().text();
    }
    [[nodiscard]] ByteVector const& stream() const { return stream_; }
    [[nodiscard]] SwarmSession& session() { return *session_; }

private:
    static constexpr std::uint32_t chunks_per_unit = 8;

    std::unique_ptr<integrity::Signer> signer_ =
        integrity::make_signer(*integrity::PrivateKey::generate());
    std::unique_ptr<SwarmSession> session_;
    test::TestMedia media_{chunks_per_unit, 1024};
    SteadyClock::time_point next_ = SteadyClock::now();
    int units_ = 0;
    ByteVector stream_;
};

std::unique_ptr<Viewer> open_viewer(std::string const& link,
                                    std::chrono::seconds join_timeout = std::chrono::seconds{30})
{
    ViewerOptions options;
    options.link = link;
    options.listen = "127.0.0.1:0";
    options.latency = std::chrono::milliseconds{500};
    options.join_timeout = join_timeout;
    std::string error;
    auto viewer = Viewer::open(std::move(options), error);
    EXPECT_NE(viewer, nullptr) << error;
    return viewer;
}

/// Reads what is there.
void read_into(Viewer& viewer, ByteVector& output)
{
    MediaPiece piece;
    while (viewer.read(piece, std::chrono::milliseconds{2}) == Viewer::ReadStatus::media) {
        output.insert(output.end(), piece.bytes.begin(), piece.bytes.end());
    }
}

bool contains(ByteVector const& whole, ByteVector const& part)
{
    return std::search(whole.begin(), whole.end(), part.begin(), part.end()) != whole.end();
}

TEST(Viewer, two_viewers_on_loopback_get_the_sources_bytes)
{
    Source source;
    auto const first = open_viewer(source.link());
    auto const second = open_viewer(source.link() + "&peer=" + first->udp_address());
    ByteVector first_output;
    ByteVector second_output;
    constexpr std::size_t enough = 200'000;
    auto const limit = SteadyClock::now() + wait_max;
    while ((first_output.size() < enough || second_output.size() < enough) &&
           SteadyClock::now() < limit) {
        source.run();
        read_into(*first, first_output);
        read_into(*second, second_output);
    }
    EXPECT_GE(first_output.size(), enough) << first->statistics_json();
    EXPECT_GE(second_output.size(), enough) << second->statistics_json();
    EXPECT_TRUE(contains(source.stream(), first_output));
    EXPECT_TRUE(contains(source.stream(), second_output));
    EXPECT_EQ(first_output[0], 0x47); // begins with a transport packet

    auto const figures = boost::json::parse(first->statistics_json()).as_object();
    EXPECT_GE(figures.at("media_bytes").to_number<std::uint64_t>(), enough);
    EXPECT_FALSE(figures.at("startup_ms").is_null());
    EXPECT_EQ(figures.at("final"), false);
    EXPECT_EQ(first->latency_target(), std::chrono::milliseconds{500});

    first->stop();
    auto const last = boost::json::parse(first->statistics_json()).as_object();
    EXPECT_EQ(last.at("final"), true);
    EXPECT_GE(last.at("media_bytes").to_number<std::uint64_t>(), enough);
    MediaPiece piece;
    EXPECT_EQ(first->read(piece, wait_max), Viewer::ReadStatus::ended);
}

TEST(Viewer, gives_up_when_nobody_answers)
{
    Source source; // another channel
    std::string const other = to_hex((*integrity::PrivateKey::generate()).swarm_id());
    std::string const address = source.session().node().local_endpoint().text();
    auto const viewer =
        open_viewer("ppsp:///" + other + "?peer=" + address, std::chrono::seconds{1});
    MediaPiece piece;
    ASSERT_EQ(viewer->read(piece, wait_max), Viewer::ReadStatus::failed);
    EXPECT_EQ(viewer->error(), "no peer named in the link answered within 1 s");
}

TEST(Viewer, interrupt_wakes_readers_until_resume)
{
    Source source;
    auto const viewer = open_viewer(source.link());
    viewer->interrupt();
    MediaPiece piece;
    EXPECT_EQ(viewer->read(piece, wait_max), Viewer::ReadStatus::interrupted);
    EXPECT_EQ(viewer->read(piece, wait_max), Viewer::ReadStatus::interrupted);
    viewer->resume();
    EXPECT_EQ(viewer->read(piece, std::chrono::milliseconds{0}), Viewer::ReadStatus::timed_out);
    viewer->stop();
    EXPECT_EQ(viewer->read(piece, wait_max), Viewer::ReadStatus::ended);
}

TEST(Viewer, says_why_it_cannot_start)
{
    auto const error_of = [](std::string link, std::string listen) {
        ViewerOptions options;
        options.link = std::move(link);
        options.listen = std::move(listen);
        std::string error;
        EXPECT_EQ(Viewer::open(std::move(options), error), nullptr);
        return error;
    };
    Source source;
    EXPECT_NE(error_of("nonsense", "127.0.0.1:0").find("no channel link"), std::string::npos);
    EXPECT_NE(error_of(source.link(), "nowhere").find("should be ADDRESS:PORT"), std::string::npos);
    EXPECT_NE(error_of("ppsp://h:1/" + std::string(64, 'a'), "127.0.0.1:0").find("recording"),
              std::string::npos);
    auto const taken = source.session().node().local_endpoint().text();
    EXPECT_NE(error_of(source.link(), taken).find("is in use"), std::string::npos);
}

} // namespace
} // namespace ppsp::peer
