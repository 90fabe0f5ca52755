#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

/// Whole engines talking to each other over virtual links.
namespace ppsp::test {
namespace {

constexpr std::uint64_t stream_bps = 16ULL * 1024 * 8 * 20; // 16 chunks per 50 ms

std::vector<VirtualNode*> add_viewers(VirtualSwarm& swarm, std::size_t count)
{
    std::vector<VirtualNode*> viewers;
    for (std::size_t i = 0; i < count; ++i) {
        viewers.push_back(&swarm.add_viewer());
        swarm.introduce(*viewers.back());
        swarm.run_for(100ms);
    }
    return viewers;
}

TEST(Swarm, one_viewer_gets_exactly_what_the_source_cut)
{
    VirtualSwarm swarm{1};
    swarm.add_source({});
    swarm.run_for(3s);
    VirtualNode& viewer = swarm.add_viewer();
    swarm.introduce(viewer);
    swarm.run_for(20s);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
    auto const figures = swarm.figures(viewer);
    EXPECT_GT(figures.continuity(), 0.999);
    EXPECT_EQ(figures.stalls, 0u);
    EXPECT_GT(viewer.output.size(), 16u * 1024 * 20 * 17);
    EXPECT_EQ(figures.bad_chunks, 0u);
}

TEST(Swarm, what_came_in_one_turn_is_answered_together)
{
    VirtualSwarm swarm{1};
    VirtualNode& source = swarm.add_source({});
    VirtualNode& viewer = swarm.add_viewer();
    swarm.introduce(viewer);
    swarm.run_for(5s);
    std::vector<ByteVector> held;
    swarm.meddle = [&](Endpoint, Endpoint to, ByteVector& bytes) {
        bool const takes = to == viewer.endpoint && bytes.size() > 1024 && held.size() < 8;
        if (takes) {
            held.push_back(bytes);
        }
        return !takes;
    };
    swarm.run_for(60ms);
    ASSERT_EQ(held.size(), 8u);
    for (ByteVector const& datagram : held) {
        bool const more = &datagram != &held.back();
        viewer.engine.handle(swarm.now(), peer::DatagramReceived{source.endpoint, datagram, more});
        std::size_t answers = 0;
        while (viewer.engine.poll(swarm.now())) {
            ++answers;
        }
        EXPECT_EQ(answers, more ? 0u : 1u);
    }
}

TEST(Swarm, output_starts_at_a_pat_near_the_live_edge)
{
    VirtualSwarm swarm{2};
    swarm.add_source({});
    swarm.run_for(30s);
    VirtualNode& viewer = swarm.add_viewer(std::nullopt);
    swarm.introduce(viewer);
    swarm.run_for(5s);
    auto const figures = swarm.figures(viewer);
    ASSERT_TRUE(viewer.output_position.has_value());
    EXPECT_LE(figures.startup.value_or(1h), 1500ms);
    EXPECT_LE(figures.latency_p95, 3000ms);
    EXPECT_EQ(*viewer.output_position % ts::packet_size, 0u);
    auto const packet = ts::parse_packet(Bytes{viewer.output}.first(ts::packet_size));
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ(packet->pid, ts::pat_pid);
    EXPECT_GT(*viewer.output_position, swarm.stream().size() * 4 / 5);
}

TEST(Swarm, six_viewers_get_more_than_half_from_each_other_when_the_source_has_two_streams)
{
    VirtualSwarm swarm{3};
    VirtualSwarm::SourceOptions options;
    options.uplink_bps = 2 * stream_bps;
    swarm.add_source(options);
    swarm.run_for(2s);
    std::uint64_t from_peers = 0;
    std::uint64_t from_source = 0;
    auto const viewers = add_viewers(swarm, 6);
    swarm.run_for(6s); // who feeds whom is settled
    std::vector<peer::SwarmStatistics> before;
    for (VirtualNode* viewer : viewers) {
        before.push_back(swarm.figures(*viewer));
    }
    swarm.run_for(30s);
    for (std::size_t i = 0; i < viewers.size(); ++i) {
        auto const figures = swarm.figures(*viewers[i]);
        EXPECT_TRUE(swarm.output_is_exact(*viewers[i]));
        EXPECT_GT(figures.continuity(), 0.985); // six joins in half a second included
        EXPECT_EQ(figures.chunks_due - figures.chunks_in_time,
                  before[i].chunks_due - before[i].chunks_in_time);
        EXPECT_EQ(figures.stalls, before[i].stalls);
        from_peers += figures.from_peers_bytes;
        from_source += figures.from_source_bytes;
    }
    EXPECT_GT(from_peers, from_source);
}

TEST(Swarm, loss_duplication_and_reordering_change_no_byte)
{
    VirtualSwarm swarm{4};
    swarm.faults = {.loss = 0.02, .duplication = 0.01, .reordering = 0.02};
    swarm.add_source({});
    swarm.run_for(2s);
    for (VirtualNode* viewer : add_viewers(swarm, 6)) {
        swarm.run_for(10s);
        EXPECT_TRUE(swarm.output_is_exact(*viewer));
        EXPECT_GT(swarm.figures(*viewer).continuity(), 0.99);
    }
}

TEST(Swarm, a_killed_viewer_interrupts_nobody)
{
    VirtualSwarm swarm{5};
    VirtualSwarm::SourceOptions options;
    options.uplink_bps = 2 * stream_bps;
    swarm.add_source(options);
    swarm.run_for(2s);
    auto const viewers = add_viewers(swarm, 6);
    swarm.run_for(10s);
    std::uint64_t stalls_before = 0;
    for (VirtualNode* viewer : viewers) {
        stalls_before += swarm.figures(*viewer).stalls;
    }
    std::uint64_t stalls_after = 0;
    for (std::size_t victim = 0; victim < 2; ++victim) {
        swarm.kill(*viewers[victim]); // the earliest: parents of the others
        swarm.run_for(10s);
    }
    for (std::size_t i = 2; i < viewers.size(); ++i) {
        EXPECT_TRUE(swarm.output_is_exact(*viewers[i]));
        stalls_after += swarm.figures(*viewers[i]).stalls;
    }
    EXPECT_LE(stalls_after, stalls_before);
}

TEST(Swarm, viewers_find_each_other_by_pex_when_they_only_know_the_source)
{
    VirtualSwarm swarm{6};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    std::vector<VirtualNode*> viewers;
    for (int i = 0; i < 4; ++i) {
        viewers.push_back(&swarm.add_viewer());
        swarm.introduce(*viewers.back(), {source.endpoint});
        swarm.run_for(200ms);
    }
    swarm.run_for(25s);
    EXPECT_GE(swarm.figures(*viewers[0]).neighbours, 3u);
}

TEST(Swarm, a_source_that_pauses_goes_on_and_so_does_the_picture)
{
    VirtualSwarm swarm{7};
    swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& viewer = swarm.add_viewer();
    swarm.introduce(viewer);
    swarm.run_for(5s);
    std::size_t const before = viewer.output.size();
    swarm.pause_source();
    swarm.run_for(20s);
    swarm.resume_source();
    swarm.run_for(10s);
    EXPECT_GT(viewer.output.size(), before + 16u * 1024 * 20 * 7);
    EXPECT_TRUE(swarm.output_is_exact(viewer));
}

TEST(Swarm, neighbours_of_no_use_give_way_to_others)
{
    VirtualSwarm swarm{18};
    swarm.add_source({});
    swarm.run_for(1s);
    peer::NodeConfig config;
    config.pex = false; // nobody dials back
    for (int i = 0; i < 5; ++i) {
        swarm.introduce(swarm.add_viewer(800ms, std::uint64_t{0}, config)); // give nothing
    }
    config.neighbours_target = 2;
    // It gives nothing either: whom we serve stays.
    VirtualNode& viewer = swarm.add_viewer(800ms, std::uint64_t{0}, config);
    swarm.introduce(viewer);
    swarm.run_for(40s);
    EXPECT_GT(viewer.log.count<peer::NeighbourClosed>(), 1u);
    EXPECT_GT(viewer.log.count<peer::NeighbourOpened>(), 3u);
}

TEST(Swarm, a_full_node_lets_somebody_in_for_one_who_holds_no_place)
{
    VirtualSwarm swarm{19};
    peer::NodeConfig config;
    config.neighbours_target = 1;
    config.neighbours_max = 2; // one place for strangers
    VirtualNode& full = swarm.add_viewer(800ms, std::nullopt, config);
    VirtualNode& first = swarm.add_viewer();
    swarm.introduce(first, {full.endpoint});
    swarm.run_for(1s);
    VirtualNode& second = swarm.add_viewer();
    swarm.introduce(second, {full.endpoint});
    swarm.run_for(1s);
    EXPECT_EQ(swarm.figures(second).neighbours, 0u) << "the first has only just come";
    swarm.run_for(20s);
    EXPECT_GT(second.log.count<peer::NeighbourOpened>(), 0u);
}

/// Its parent dialled it and wants nothing of it.
TEST(Swarm, a_full_node_does_not_close_the_conversation_that_feeds_it)
{
    VirtualSwarm swarm{19};
    swarm.add_source({});
    swarm.run_for(1s);
    peer::NodeConfig config;
    config.pex = false;
    VirtualNode& parent = swarm.add_viewer(800ms, 20'000'000, config);
    config.neighbours_target = 1;
    config.neighbours_max = 2; // one place for strangers
    VirtualNode& full = swarm.add_viewer(800ms, std::nullopt, config);
    swarm.introduce(parent);
    swarm.run_for(5s);
    swarm.introduce(parent, {full.endpoint});
    swarm.run_for(5s);
    ASSERT_GT(full.output.size(), 0u);
    swarm.introduce(swarm.add_viewer(800ms, std::nullopt, config), {full.endpoint});
    swarm.run_for(20s);
    EXPECT_EQ(full.log.count<peer::NeighbourClosed>(), 0u);
    EXPECT_GT(swarm.figures(full).continuity(), 0.99);
}

TEST(Swarm, a_full_node_does_not_close_the_conversation_with_whom_it_serves)
{
    VirtualSwarm swarm{19};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    peer::NodeConfig config;
    config.pex = false;
    VirtualNode& child = swarm.add_viewer(800ms, 0, config);
    VirtualNode& stranger = swarm.add_viewer(800ms, 0, config);
    config.neighbours_target = 1;
    config.neighbours_max = 2; // one place for strangers
    VirtualNode& full = swarm.add_viewer(800ms, 20'000'000, config);
    swarm.introduce(full, {source.endpoint});
    swarm.run_for(5s);
    swarm.introduce(child, {full.endpoint});
    swarm.run_for(5s);
    swarm.introduce(stranger, {full.endpoint});
    swarm.run_for(20s);
    EXPECT_EQ(child.log.count<peer::NeighbourClosed>(), 0u);
    EXPECT_GT(swarm.figures(child).continuity(), 0.99);
}

/// Who lies about delays in both directions may get little; the others get everything.
TEST(Swarm, delays_that_are_lies_hurt_nobody_else)
{
    VirtualSwarm swarm{17};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& liar = swarm.add_viewer();
    swarm.meddle = [at = liar.endpoint, lie = false](Endpoint from, Endpoint,
                                                     ByteVector& bytes) mutable {
        wire::DatagramReader reader(bytes, wire::SwarmFormat{});
        if (from != at || to_number(reader.destination().value_or(ChannelId{})) == 0) {
            return true;
        }
        wire::DatagramWriter writer(*reader.destination(), wire::SwarmFormat{}, 2000);
        for (auto message = reader.next(); message && *message; message = reader.next()) {
            if (auto* ack = std::get_if<wire::Ack>(&**message)) {
                lie = !lie;
                ack->one_way_delay = lie ? Duration::min() : Duration::max();
            }
            static_cast<void>(writer.add(**message));
        }
        bytes = writer.take();
        return true;
    };
    swarm.introduce(liar, {source.endpoint});
    VirtualNode& honest = swarm.add_viewer();
    swarm.introduce(honest, {source.endpoint});
    swarm.run_for(8s);
    EXPECT_GT(liar.output.size(), 0u);
    EXPECT_TRUE(swarm.output_is_exact(honest));
    EXPECT_GT(swarm.figures(honest).continuity(), 0.99);
}

TEST(Swarm, a_viewer_that_never_uploads_is_served)
{
    VirtualSwarm swarm{8};
    swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& silent = swarm.add_viewer(800ms, 0);
    swarm.introduce(silent);
    VirtualNode& other = swarm.add_viewer();
    swarm.introduce(other);
    swarm.run_for(10s);
    EXPECT_EQ(swarm.figures(silent).upload_media_bytes, 0u);
    EXPECT_TRUE(swarm.output_is_exact(silent));
    EXPECT_TRUE(swarm.output_is_exact(other));
}

// ---- peers that do wrong ------------------------------------------------------------------------

/// Changes the last byte of every datagram of DATA size that `who` sends.
auto corrupt_data_of(Endpoint who)
{
    return [who](Endpoint from, Endpoint, ByteVector& bytes) {
        if (from == who && bytes.size() > 1000) {
            bytes.back() ^= 1;
        }
        return true;
    };
}

TEST(Swarm, wrong_bytes_never_get_out_and_their_sender_is_dropped)
{
    VirtualSwarm swarm{9};
    swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& polluter = swarm.add_viewer();
    swarm.introduce(polluter);
    swarm.run_for(3s);
    swarm.meddle = corrupt_data_of(polluter.endpoint);
    auto const victims = add_viewers(swarm, 5);
    swarm.run_for(30s);
    std::uint64_t bad = 0;
    std::size_t bans = 0;
    for (VirtualNode* victim : victims) {
        EXPECT_TRUE(swarm.output_is_exact(*victim));
        bad += swarm.figures(*victim).bad_chunks;
        bans += victim->log.count<peer::NeighbourBanned>();
    }
    EXPECT_GT(bad, 0u);
    EXPECT_GE(bans, 1u);
    EXPECT_LE(bad, 5u * 64); // a few units per victim at most, then silence
}

TEST(Swarm, wrong_signatures_tune_nobody_in)
{
    VirtualSwarm swarm{10};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& viewer = swarm.add_viewer();
    swarm.meddle = [&](Endpoint from, Endpoint, ByteVector& bytes) {
        if (from == source.endpoint) { // flips a bit of each SIGNED_INTEGRITY's signature
            for (std::size_t at = 4; at + 81 <= bytes.size(); ++at) {
                if (bytes[at] == 4 && at + 41 + 81 <= bytes.size() && bytes[at + 41] == 7) {
                    bytes[at + 41 + 20] ^= 1;
                    break;
                }
            }
        }
        return true;
    };
    swarm.introduce(viewer);
    swarm.run_for(10s);
    EXPECT_TRUE(viewer.output.empty());
    EXPECT_GT(swarm.figures(viewer).bad_signatures, 0u);
    EXPECT_GE(viewer.log.count<peer::NeighbourBanned>(), 1u);
}

/// Every prefix and every single-bit flip of real traffic, in both directions.
TEST(Swarm, damaged_datagrams_never_crash_anybody)
{
    VirtualSwarm swarm{15};
    VirtualNode& source = swarm.add_source({});
    swarm.run_for(1s);
    VirtualNode& viewer = swarm.add_viewer();
    std::vector<std::tuple<Endpoint, Endpoint, ByteVector>> seen;
    swarm.meddle = [&](Endpoint from, Endpoint to, ByteVector& bytes) {
        if (seen.size() < 60) {
            seen.emplace_back(from, to, bytes);
        }
        return true;
    };
    swarm.introduce(viewer);
    swarm.run_for(300ms);
    swarm.meddle = nullptr;
    ASSERT_EQ(seen.size(), 60u);
    for (auto const& [from, to, bytes] : seen) {
        VirtualNode& target = to == source.endpoint ? source : viewer;
        std::size_t const step = bytes.size() > 300 ? 7 : 1;
        for (std::size_t size = 0; size < bytes.size(); size += step) {
            swarm.inject(
                from, target,
                ByteVector(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)));
        }
        for (std::size_t bit = 0; bit < bytes.size() * 8; bit += step) {
            ByteVector flipped = bytes;
            flipped[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
            swarm.inject(from, target, std::move(flipped));
        }
        swarm.run_for(20ms);
    }
    swarm.run_for(1s);
    EXPECT_TRUE(viewer.output.empty() || swarm.output_is_exact(viewer));
}

TEST(Swarm, the_same_seed_gives_the_same_run)
{
    auto const run = [](std::uint64_t seed) {
        VirtualSwarm swarm{seed};
        swarm.faults = {.loss = 0.01, .jitter = 3ms};
        swarm.add_source({});
        auto const viewers = add_viewers(swarm, 3);
        swarm.run_for(5s);
        std::uint64_t sum = 0;
        for (VirtualNode* viewer : viewers) {
            sum = sum * 31 + viewer->datagrams_sent;
            sum = sum * 31 + swarm.figures(*viewer).from_peers_bytes;
        }
        return sum;
    };
    EXPECT_EQ(run(77), run(77));
    EXPECT_NE(run(77), run(78));
}

} // namespace
} // namespace ppsp::test
