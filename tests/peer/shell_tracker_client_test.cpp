#include "peer/shell/tracker_client.hpp"
#include "protocol/net/http_server.hpp"
#include "tests/support/ppstp_peer.hpp"

#include <gtest/gtest.h>

#include <set>

namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;
using test::peer_at;

std::string const swarm_id = "0d" + std::string(128, 'a');
constexpr char const* peer_id = "00112233445566778899aabbccddeeff00112233";

/// A tracker on a free port that answers what the test tells it to.
class FakeTracker {
public:
    explicit FakeTracker(net::io_context& context)
    {
        net::HttpServerOptions options;
        options.listen = *Endpoint::parse("127.0.0.1:0");
        auto server =
            net::HttpServer::open(context.get_executor(), options,
                                  [this](auto const& request) { return handle(request); });
        EXPECT_TRUE(server) << server.error();
        server_ = *std::move(server);
    }

    [[nodiscard]] TrackerAddress address() const
    {
        return {{"127.0.0.1", server_->local_endpoint().port()}, false};
    }
    void stop() { server_->stop(); }

    template <typename Body>
    [[nodiscard]] std::size_t count() const
    {
        std::size_t found = 0;
        for (auto const& request : requests) {
            found += std::holds_alternative<Body>(request.body) ? 1 : 0;
        }
        return found;
    }

    std::vector<ppstp::Request> requests;
    std::vector<std::string> bodies;
    /// Answers for which nothing valid is sent, counted down.
    int silent = 0;
    /// Error of the next answer to anything but a CONNECT.
    ppstp::ErrorCode next_error = ppstp::ErrorCode::none;
    std::vector<ppstp::PeerInfo> peers;
    std::optional<ppstp::LiveEdge> live;
    std::vector<ppstp::ProvenUplink> proven;
    std::optional<ppstp::MembershipGrant> membership;

private:
    net::HttpReply handle(net::HttpRequest const& http)
    {
        EXPECT_EQ(http.method, "POST");
        EXPECT_EQ(http.target, "/ppstp");
        EXPECT_EQ(http.content_type, ppstp::media_type);
        auto request = ppstp::parse_request(http.body);
        EXPECT_TRUE(request) << http.body;
        requests.push_back(*request);
        bodies.emplace_back(http.body);
        net::HttpReply reply;
        reply.content_type = std::string{ppstp::media_type};
        if (silent > 0) {
            --silent;
            reply.body = "no JSON";
            return reply;
        }
        ppstp::Response response;
        response.transaction_id = request->transaction_id;
        bool const is_connect = std::holds_alternative<ppstp::Connect>(request->body);
        if (!is_connect && next_error != ppstp::ErrorCode::none) {
            response.error = next_error;
            next_error = ppstp::ErrorCode::none;
        } else {
            bool const is_report = std::holds_alternative<ppstp::StatReport>(request->body);
            ppstp::SwarmResult result;
            result.swarm_id = swarm_id;
            result.has_peer_group = !is_report;
            result.live = live;
            if (is_report) { // RFC 7846 §4.1.3: no peers
                result.proven = proven;
            } else {
                result.peers = peers;
                result.membership = membership;
            }
            response.swarm_results = {result};
        }
        reply.status = ppstp::http_status(response.error);
        reply.body = ppstp::to_json(response);
        return reply;
    }

    std::unique_ptr<net::HttpServer> server_;
};

class TrackerClientTest : public testing::Test {
protected:
    TrackerClientTest()
    {
        config.trackers = {{tracker.address()}};
        config.swarm_id = swarm_id;
        config.peer_id = peer_id;
        config.bound = *Endpoint::parse("0.0.0.0:6778");
        config.timers.report_first = 30ms;
        config.timers.report_interval = 40ms;
        config.timers.content_interval = 15ms;
        config.timers.find_interval_min = 20ms;
        config.timers.find_interval_waiting = 10ms;
        config.timers.find_interval_waiting_max = 20ms;
        config.timers.retry_first = 2ms;
        config.timers.retry_max = 20ms;
        config.timers.retry_max_joining = 20ms;
    }

    TrackerClient& start()
    {
        TrackerClientPorts ports;
        ports.feed = [this](Input const& input) {
            if (auto const* found = std::get_if<CandidatesFound>(&input)) {
                candidates.push_back(*found);
            } else if (auto const* edge = std::get_if<LiveEdgeFound>(&input)) {
                edges.push_back(*edge);
            } else if (auto const* proven = std::get_if<UplinksProven>(&input)) {
                EXPECT_EQ(to_hex(proven->swarm), swarm_id);
                uplinks.push_back(*proven);
            } else if (auto const* issued = std::get_if<MembershipIssued>(&input)) {
                memberships.push_back(*issued);
            }
            fed.push_back(input.index());
        };
        ports.figures = [this] { return figures; };
        ports.can_reach = [](Endpoint const& to) { return to.is_v4(); };
        ports.message = [this](std::string const& message) { messages.push_back(message); };
        client = std::make_unique<TrackerClient>(context, config, Rng{5}, std::move(ports));
        client->start();
        return *client;
    }

    template <typename Condition>
    void run_until(Condition condition)
    {
        auto const limit = std::chrono::steady_clock::now() + 20s;
        while (!condition() && std::chrono::steady_clock::now() < limit) {
            context.restart();
            context.run_one_for(50ms);
        }
        ASSERT_TRUE(condition());
    }

    [[nodiscard]] bool was_told(std::string const& part) const
    {
        for (auto const& message : messages) {
            if (message.find(part) != std::string::npos) {
                return true;
            }
        }
        return false;
    }

    net::io_context context;
    FakeTracker tracker{context};
    TrackerClientConfig config;
    std::optional<SwarmFigures> figures;
    std::vector<CandidatesFound> candidates;
    std::vector<LiveEdgeFound> edges;
    std::vector<UplinksProven> uplinks;
    std::vector<MembershipIssued> memberships;
    std::vector<std::size_t> fed; ///< kinds of inputs, in their order
    std::vector<std::string> messages;
    std::unique_ptr<TrackerClient> client;
};

TEST_F(TrackerClientTest, joins_with_its_addresses_and_gets_candidates_and_live_edge)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1"), peer_at(peer_id, "127.0.0.8:1")};
    tracker.live = ppstp::LiveEdge{ChunkId{1599}, 16, ChunkId{1440}, 250};
    start();
    run_until([&] { return !candidates.empty() && !edges.empty(); });
    EXPECT_EQ(candidates[0].endpoints, std::vector{*Endpoint::parse("127.0.0.9:1")});
    EXPECT_EQ(to_hex(candidates[0].swarm), swarm_id);
    EXPECT_EQ(edges[0].newest, ChunkId{1599});
    EXPECT_EQ(edges[0].chunks_per_unit, 16U);
    EXPECT_EQ(edges[0].age, 250ms);

    auto const& connect = std::get<ppstp::Connect>(tracker.requests[0].body);
    EXPECT_EQ(tracker.requests[0].peer_id, peer_id);
    ASSERT_EQ(connect.swarm_actions.size(), 1U);
    EXPECT_EQ(connect.swarm_actions[0],
              (ppstp::SwarmAction{swarm_id, ppstp::Action::join, ppstp::PeerMode::leech}));
    ASSERT_EQ(connect.peer_addresses.size(), 1U);
    EXPECT_EQ(connect.peer_addresses[0].endpoint.text(), "127.0.0.1:6778");
    ASSERT_TRUE(connect.peer_num);
    EXPECT_LT(connect.peer_num->peer_count, 30U); // RFC 7846 §3.2.2
}

TEST_F(TrackerClientTest,
       a_certificate_goes_to_the_engine_and_is_renewed_when_half_its_time_is_over)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    tracker.membership = ppstp::MembershipGrant{{13, 1}, {0x30, 2}, 1};
    start();
    run_until([&] { return !memberships.empty(); });
    EXPECT_EQ(to_hex(memberships[0].swarm), swarm_id);
    EXPECT_EQ(memberships[0].issuer, (ByteVector{13, 1}));
    EXPECT_EQ(memberships[0].certificate, (ByteVector{0x30, 2}));
    EXPECT_EQ(tracker.count<ppstp::Find>(), 0U);
    run_until([&] { return memberships.size() == 2; });
    EXPECT_EQ(tracker.count<ppstp::Find>(), 1U);
}

TEST_F(TrackerClientTest, TP_4_3_a_repeats_the_identical_request_after_an_invalid_answer)
{
    tracker.silent = 3;
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    start();
    run_until([&] { return !candidates.empty(); });
    ASSERT_GE(tracker.bodies.size(), 4U);
    EXPECT_EQ(tracker.bodies[0], tracker.bodies[1]);
    EXPECT_EQ(tracker.bodies[0], tracker.bodies[3]);
    EXPECT_EQ(tracker.requests[0].transaction_id.size(), 32U);
    EXPECT_TRUE(was_told("gives no PPSTP answer (HTTP status 200), trying again"));
    EXPECT_TRUE(was_told("answers"));
    EXPECT_EQ(messages.size(), 2U); // once per outage, not per attempt
}

TEST_F(TrackerClientTest, TP_4_3_b_other_requests_have_other_transaction_ids)
{
    figures.emplace();
    start();
    run_until([&] { return tracker.requests.size() >= 6; });
    std::set<std::string> ids;
    for (auto const& request : tracker.requests) {
        ids.insert(request.transaction_id);
    }
    EXPECT_EQ(ids.size(), tracker.requests.size());
}

TEST_F(TrackerClientTest, joins_again_at_once_when_the_tracker_has_forgotten_it)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    for (auto const code :
         {ppstp::ErrorCode::forbidden, ppstp::ErrorCode::authentication_required}) {
        tracker.next_error = code;
        tracker.requests.clear();
        if (!client) {
            start();
        }
        run_until([&] { return tracker.next_error == ppstp::ErrorCode::none; });
        auto const before = tracker.requests.size();
        run_until([&] { return tracker.requests.size() > before; });
        EXPECT_TRUE(std::holds_alternative<ppstp::Connect>(tracker.requests[before].body));
    }
}

TEST_F(TrackerClientTest, an_empty_channel_is_waited_for)
{
    start();
    run_until([&] { return tracker.count<ppstp::Find>() >= 3; });
    ASSERT_GE(candidates.size(), 3U) << "these are answers, too";
    EXPECT_TRUE(candidates.back().endpoints.empty());
    EXPECT_TRUE(candidates.back().is_answer);
    EXPECT_EQ(std::count(messages.begin(), messages.end(), "waiting for the channel to start"), 1);
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    run_until([&] { return !candidates.back().endpoints.empty(); });
    EXPECT_EQ(client->progress().peers_found, 1U);
}

TEST_F(TrackerClientTest, asks_when_the_engine_wants_candidates)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    start();
    run_until([&] { return !candidates.empty(); });
    client->note_playing();
    auto const before = tracker.count<ppstp::Find>();
    client->want_candidates();
    run_until([&] { return tracker.count<ppstp::Find>() > before; });
}

TEST_F(TrackerClientTest, reports_what_the_engine_knows)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    figures.emplace();
    figures->swarm.newest_unit = 7;
    figures->swarm.chunks_per_unit = 16;
    figures->neighbours = {{*Endpoint::parse("127.0.0.9:1"), false, 100, 0, {}}};
    start();
    run_until([&] { return tracker.count<ppstp::StatReport>() >= 1; });
    for (auto const& request : tracker.requests) {
        if (auto const* report = std::get_if<ppstp::StatReport>(&request.body)) {
            EXPECT_EQ(report->stream_stats.size(), 1U);
            EXPECT_EQ(report->peer_status.size(), 1U);
            ASSERT_EQ(report->content_maps.size(), 1U);
            EXPECT_EQ(report->content_maps[0].newest, ChunkId{127});
            ASSERT_EQ(report->receipts.size(), 1U);
            EXPECT_EQ(report->receipts[0].bytes, 100U);
            break;
        }
    }
}

TEST_F(TrackerClientTest, a_peer_list_tells_what_the_candidates_upload)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1"), peer_at("b", "127.0.0.8:1")};
    tracker.peers[1].proven_kbps = 1500;
    start();
    run_until([&] { return !uplinks.empty(); });
    ASSERT_EQ(uplinks[0].peers.size(), 1U);
    EXPECT_EQ(uplinks[0].peers[0].endpoint, *Endpoint::parse("127.0.0.8:1"));
    EXPECT_EQ(uplinks[0].peers[0].kbps, 1500U);
    // The engine notes uplinks of candidates that it knows.
    ASSERT_EQ(fed.size(), 2U);
    EXPECT_EQ(fed[0], Input{CandidatesFound{}}.index());
    EXPECT_EQ(fed[1], Input{UplinksProven{}}.index());
}

TEST_F(TrackerClientTest, the_answer_to_a_report_tells_what_neighbours_upload)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    tracker.proven = {{*Endpoint::parse("127.0.0.9:1"), 700}, {*Endpoint::parse("[::1]:7"), 800}};
    figures.emplace();
    figures->neighbours = {{*Endpoint::parse("127.0.0.9:1"), false, 0, 100, {}}};
    start();
    run_until([&] { return !candidates.empty(); });
    tracker.live = ppstp::LiveEdge{ChunkId{1599}, 16, ChunkId{1440}, 250};
    run_until([&] { return !uplinks.empty() && !edges.empty(); });
    ASSERT_EQ(uplinks[0].peers.size(), 2U);
    EXPECT_EQ(uplinks[0].peers[0].kbps, 700U);
    EXPECT_EQ(uplinks[0].peers[1].endpoint, *Endpoint::parse("[::1]:7"));
    EXPECT_EQ(edges[0].newest, ChunkId{1599});
    EXPECT_EQ(candidates.size(), 1U) << "an answer to a report has no peers and asks for none";
    auto const& report = std::get<ppstp::StatReport>(tracker.requests.back().body);
    ASSERT_EQ(report.neighbours.size(), 1U);
    EXPECT_EQ(report.neighbours[0].endpoints, std::vector{*Endpoint::parse("127.0.0.9:1")});
}

TEST_F(TrackerClientTest, nothing_proven_is_nothing_told)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    start();
    run_until([&] { return tracker.count<ppstp::StatReport>() >= 2; });
    EXPECT_TRUE(uplinks.empty());
}

TEST_F(TrackerClientTest, a_viewers_first_report_comes_soon)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    config.timers.report_interval = 1h;
    figures.emplace();
    start();
    run_until([&] { return tracker.count<ppstp::StatReport>() >= 1; });
    EXPECT_EQ(std::get<ppstp::StatReport>(tracker.requests.back().body).stream_stats.size(), 1U);
    EXPECT_LT(TrackerTimers{}.report_first, TrackerTimers{}.report_interval);
}

TEST_F(TrackerClientTest, a_sources_first_full_report_comes_in_its_interval)
{
    config.role = Role::source;
    config.timers.report_first = 0ms;
    config.timers.report_interval = 1h;
    figures.emplace();
    figures->swarm.newest_unit = 7;
    figures->swarm.chunks_per_unit = 16;
    start();
    run_until([&] { return tracker.count<ppstp::StatReport>() >= 4; });
    for (auto const& request : tracker.requests) {
        if (auto const* report = std::get_if<ppstp::StatReport>(&request.body)) {
            EXPECT_TRUE(report->stream_stats.empty());
        }
    }
}

TEST_F(TrackerClientTest, a_source_tells_often_where_the_stream_is)
{
    config.role = Role::source;
    config.timers.report_interval = 200ms;
    figures.emplace();
    figures->swarm.newest_unit = 7;
    figures->swarm.chunks_per_unit = 16;
    start();
    run_until([&] { return tracker.count<ppstp::StatReport>() >= 4; });
    auto const& connect = std::get<ppstp::Connect>(tracker.requests[0].body);
    EXPECT_EQ(connect.swarm_actions[0].peer_mode, ppstp::PeerMode::seeder);
    auto const& first = std::get<ppstp::StatReport>(tracker.requests[1].body);
    EXPECT_EQ(first.content_maps.size(), 1U);
    EXPECT_TRUE(first.stream_stats.empty());
}

TEST_F(TrackerClientTest, goes_on_to_the_next_tracker)
{
    FakeTracker dead(context);
    auto const dead_address = dead.address();
    dead.stop();
    FakeTracker second(context);
    second.peers = {peer_at("a", "127.0.0.9:1")};
    config.trackers = {{dead_address}, {second.address()}};
    start();
    run_until([&] { return !candidates.empty(); });
    EXPECT_GE(second.requests.size(), 1U);
    EXPECT_TRUE(was_told("nobody answers at this address"));
}

TEST_F(TrackerClientTest, leaves_with_a_goodbye)
{
    tracker.peers = {peer_at("a", "127.0.0.9:1")};
    start();
    run_until([&] { return !candidates.empty(); });
    bool is_done = false;
    client->leave([&is_done] { is_done = true; });
    run_until([&] { return is_done; });
    auto const& last = std::get<ppstp::Connect>(tracker.requests.back().body);
    EXPECT_EQ(last.swarm_actions[0].action, ppstp::Action::leave);
}

TEST_F(TrackerClientTest, leaving_a_dead_tracker_takes_no_longer_than_its_timeout)
{
    auto const started = std::chrono::steady_clock::now();
    tracker.stop();
    config.timers.leave_timeout = 50ms;
    config.timers.retry_first = 1h; // it would wait for ever
    config.timers.retry_max_joining = 1h;
    config.timers.retry_max = 1h;
    start();
    run_until([&] { return !messages.empty(); });
    bool is_done = false;
    client->leave([&is_done] { is_done = true; });
    run_until([&] { return is_done; });
    EXPECT_LT(std::chrono::steady_clock::now() - started, 10s);
}

TEST_F(TrackerClientTest, a_client_that_never_started_leaves_at_once)
{
    bool is_done = false;
    TrackerClient idle(context, config, Rng{1}, {});
    idle.leave([&is_done] { is_done = true; });
    EXPECT_TRUE(is_done);
}

} // namespace
} // namespace ppsp::peer
