#include "peer/playout/playout.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "tests/support/virtual_swarm.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace ppsp::peer {
namespace {

constexpr std::uint32_t chunk_size = 1024;
constexpr std::uint32_t chunks_per_unit = 8;
constexpr Duration unit_time = 50ms;
constexpr UnixMicros utc_at_zero = 1'790'000'000'000'000;

TimePoint at(Duration time)
{
    return TimePoint{time};
}

/// A stream with a key frame every 20 units whose units arrive 10 ms after they were signed.
class PlayoutTest : public ::testing::Test {
protected:
    /// `way` is how long it took.
    void signed_unit(UnitIndex unit, bool whole = true, Duration way = 10ms)
    {
        while (media_.size() <= unit) {
            bool random_access = false;
            media_.push_back(maker_.next_unit(media_.size() % 20 == 0, random_access));
        }
        auto tree = integrity::UnitTree::build(*hasher_, grid_.first_chunk(unit), chunks_per_unit,
                                               chunk_size, media_[unit]);
        UnixMicros const signed_at = utc_at_zero + Duration{unit_time * unit}.count();
        StoredUnit* const stored = store_.open(unit, std::move(tree), to_ntp(signed_at), {});
        clock_.on_munro(at(unit_time * unit + way), unit, signed_at);
        if (whole) {
            store_.put_all(*stored, media_[unit]);
        }
    }

    void advance(Duration now)
    {
        PlayoutNews news;
        std::vector<PlayoutPiece> pieces;
        playout_.advance({.now = at(now),
                          .store = store_,
                          .clock = clock_,
                          .utc_at_zero = utc_at_zero,
                          .next_sign = next_sign_},
                         pieces, news);
        for (PlayoutPiece const& piece : pieces) {
            out_.insert(out_.end(), piece.bytes.begin(), piece.bytes.end());
            units_.push_back(piece.unit);
            discontinuities_ += piece.discontinuity ? 1 : 0;
            after_gap_ = piece.discontinuity ? piece.position : after_gap_;
        }
        stalls_ += news.stalled ? 1 : 0;
        skips_ += static_cast<int>(news.skipped.size());
    }

    /// Units `first` to `last` arrive in time, and time goes on with them.
    void play(UnitIndex first, UnitIndex last)
    {
        for (UnitIndex unit = first; unit <= last; ++unit) {
            signed_unit(unit);
            advance(unit_time * unit + 10ms);
        }
    }

    static Playout make(std::optional<Duration> latency)
    {
        return Playout{PlayoutConfig{.latency = latency, .enabled = true}, at(0s)};
    }

    UnitGrid grid_{chunks_per_unit};
    std::unique_ptr<integrity::Hasher> hasher_ = integrity::make_hasher(wire::HashFunction::sha256);
    LiveStore store_{grid_, chunk_size, 400};
    LiveClock clock_;
    test::TestMedia maker_{chunks_per_unit, chunk_size};
    std::vector<ByteVector> media_;
    Playout playout_ = make(500ms);
    std::optional<TimePoint> next_sign_;
    ByteVector out_;
    std::vector<UnitIndex> units_;
    int stalls_ = 0;
    int skips_ = 0;
    int discontinuities_ = 0;
    std::uint64_t after_gap_ = 0; ///< where it went on behind the last discontinuity
};

TEST_F(PlayoutTest, a_unit_leaves_when_it_is_due_and_not_before)
{
    playout_.begin(0);
    play(0, 5);
    EXPECT_TRUE(out_.empty());
    EXPECT_EQ(playout_.deadline(), at(510ms));
    advance(509ms);
    EXPECT_TRUE(out_.empty());
    advance(510ms);
    EXPECT_EQ(units_, std::vector<UnitIndex>{0});
    EXPECT_EQ(playout_.counters().startup, Duration{510ms});
    EXPECT_EQ(playout_.latencies().percentile(at(510ms), 0.5), Duration{510ms});
}

TEST_F(PlayoutTest, starts_at_the_pat_before_a_key_frame)
{
    playout_.begin(3);
    for (UnitIndex unit = 0; unit < 3; ++unit) {
        signed_unit(unit);
    }
    play(3, 40);
    ASSERT_FALSE(units_.empty());
    EXPECT_GE(units_[0], 19u) << "the key frame of unit 20, whose PAT may end the unit before";
    auto const packet = ts::parse_packet(Bytes{out_}.first(ts::packet_size));
    ASSERT_TRUE(packet.has_value());
    EXPECT_EQ(packet->pid, ts::pat_pid);
}

TEST_F(PlayoutTest, a_joiner_waits_for_an_old_start_rather_than_for_a_new_one)
{
    playout_ = make(std::nullopt);
    playout_.begin(20); // a key frame, of which a chunk is missing
    signed_unit(20, false);
    for (UnitIndex unit = 21; unit < 36; ++unit) {
        signed_unit(unit);
        advance(unit_time * unit + 10ms);
    }
    Duration const overdue = 1300ms;
    Duration const now = unit_time * 20 + 10ms + Playout::latency_default + overdue;
    store_.put_all(*store_.find(20), media_[20]);
    advance(now);
    ASSERT_FALSE(units_.empty());
    EXPECT_EQ(units_.front(), 20U);
    EXPECT_EQ(playout_.latency(), Playout::latency_default + overdue);
}

TEST_F(PlayoutTest, a_joiner_starts_at_a_later_key_frame_that_is_whole_before)
{
    playout_ = make(std::nullopt);
    playout_.begin(20);
    signed_unit(20, false);
    for (UnitIndex unit = 21; unit <= 50; ++unit) {
        signed_unit(unit, unit >= 40);
    }
    advance(unit_time * 50 + 10ms);
    EXPECT_EQ(playout_.first_wanted(), 40U);
    advance(unit_time * 40 + 10ms + Playout::latency_default);
    ASSERT_FALSE(units_.empty());
    EXPECT_EQ(units_.front(), 40U);
}

TEST_F(PlayoutTest, a_missing_unit_is_a_stall_and_nothing_is_left_out)
{
    playout_.begin(0);
    play(0, 20);
    signed_unit(21, false);
    for (UnitIndex unit = 22; unit <= 32; ++unit) {
        signed_unit(unit);
        advance(unit_time * unit + 10ms);
    }
    // unit 21 is due at 21 * 50 + 10 + 500 ms = 1560 ms
    advance(1659ms);
    EXPECT_EQ(stalls_, 0);
    EXPECT_EQ(units_.back(), 20u);
    advance(1700ms);
    EXPECT_EQ(stalls_, 1);
    store_.put_all(*store_.find(21), media_[21]);
    advance(1750ms);
    EXPECT_GE(units_.back(), 24u) << "catches up with its schedule";
    EXPECT_TRUE(std::is_sorted(units_.begin(), units_.end()));
    EXPECT_EQ(units_.size(), units_.back() + 1);
    EXPECT_EQ(playout_.counters().chunks_due - playout_.counters().chunks_in_time, chunks_per_unit);
}

TEST_F(PlayoutTest, a_unit_of_which_nothing_is_known_is_due_after_the_one_before)
{
    playout_ = make(std::nullopt);
    playout_.begin(0);
    // By the usual pace unit 1 would have been signed 90 ms before unit 0.
    clock_.on_munro(at(800ms), 18, utc_at_zero + Duration{720ms}.count());
    auto const clock = clock_;
    signed_unit(0);
    clock_ = clock;
    advance(880ms);
    ASSERT_EQ(units_, std::vector<UnitIndex>{0});
    EXPECT_EQ(stalls_, 0);
    advance(880ms + unit_time + 99ms);
    EXPECT_EQ(stalls_, 0);
    advance(880ms + unit_time + 100ms);
    EXPECT_EQ(stalls_, 1);
}

TEST_F(PlayoutTest, a_unit_that_never_comes_is_left_out_alone)
{
    playout_.begin(0);
    play(0, 20);
    signed_unit(21, false);
    for (UnitIndex unit = 22; unit <= 40; ++unit) {
        signed_unit(unit);
    }
    // It is due at 21 * 50 + 10 + 500 ms.
    Duration const end = 1560ms + Playout::leave_out_after;
    advance(end - 1ms);
    EXPECT_EQ(units_.back(), 20u);
    EXPECT_EQ(playout_.deadline(), at(end));
    advance(end);
    ASSERT_GT(units_.size(), 21u);
    EXPECT_EQ(units_[21], 22u);
    EXPECT_EQ(skips_, 1);
    EXPECT_EQ(discontinuities_, 1);
    EXPECT_EQ(stalls_, 1);
    auto const& counters = playout_.counters();
    EXPECT_EQ(counters.skipped_units, 1u);
    EXPECT_EQ(counters.chunks_due, chunks_per_unit * (units_.back() + 1));
    EXPECT_EQ(counters.chunks_due - counters.chunks_in_time, chunks_per_unit);
}

TEST_F(PlayoutTest, units_left_out_while_it_catches_up_belong_to_the_same_stall)
{
    playout_.begin(0);
    play(0, 20);
    for (UnitIndex unit = 21; unit <= 60; ++unit) {
        signed_unit(unit, unit != 21 && unit != 24);
    }
    // The second one is due 150 ms after the first.
    advance(1560ms + 150ms + Playout::stall_threshold);
    advance(1560ms + 150ms + Playout::leave_out_after);
    EXPECT_EQ(skips_, 2);
    EXPECT_EQ(stalls_, 1);
    EXPECT_EQ(playout_.counters().stalls, 1u);
    EXPECT_EQ(playout_.counters().skipped_units, 2u);
    EXPECT_EQ(std::count(units_.begin(), units_.end(), UnitIndex{23}), 1);
}

TEST_F(PlayoutTest, what_follows_a_unit_left_out_begins_with_a_whole_packet)
{
    playout_.begin(0);
    play(0, 20);
    signed_unit(21, false);
    play(22, 60);
    ASSERT_EQ(discontinuities_, 1);
    std::uint64_t const unit_bytes = chunks_per_unit * chunk_size;
    EXPECT_EQ(after_gap_ % 188, 0u);
    EXPECT_GE(after_gap_, 22 * unit_bytes);
    EXPECT_LT(after_gap_, 22 * unit_bytes + 188);
}

TEST_F(PlayoutTest, a_long_hole_is_given_up_for_the_next_key_frame)
{
    playout_.begin(0);
    play(0, 20);
    for (UnitIndex unit = 21; unit <= 21 + Playout::leave_out_max; ++unit) {
        signed_unit(unit, false);
    }
    play(22 + Playout::leave_out_max, 100);
    EXPECT_EQ(skips_, 1);
    EXPECT_EQ(discontinuities_, 1);
    EXPECT_GT(units_.back(), 80u);
    EXPECT_EQ(std::count(units_.begin(), units_.end(), UnitIndex{21}), 0);
    EXPECT_GT(playout_.counters().skipped_units, 0u);
}

TEST_F(PlayoutTest, what_is_left_out_was_due)
{
    playout_.begin(0);
    play(0, 30);
    for (UnitIndex unit = 31; unit <= 100; ++unit) {
        signed_unit(unit, unit > 31 + Playout::leave_out_max);
        advance(unit_time * unit + 10ms);
    }
    ASSERT_EQ(skips_, 1);
    ASSERT_EQ(units_[31], 80U);
    auto const& counters = playout_.counters();
    EXPECT_EQ(counters.chunks_due, chunks_per_unit * (units_.back() + 1));
    EXPECT_EQ(counters.chunks_due - counters.chunks_in_time, chunks_per_unit * (80 - 31));
}

TEST_F(PlayoutTest, silence_was_a_stall_if_units_come_then_that_were_due)
{
    playout_.begin(0);
    play(0, 40);
    for (Duration now = 2s; now < 4s; now += 10ms) {
        advance(now); // nobody knows of unit 41
    }
    EXPECT_EQ(stalls_, 0);
    ASSERT_EQ(units_.back(), 40U);
    for (UnitIndex unit = 41; unit <= 80; ++unit) {
        signed_unit(unit);
    }
    advance(4s);
    EXPECT_EQ(stalls_, 1);
    auto const& counters = playout_.counters();
    // Unit 41 was due at 2 560 ms; those from 68 on were not due 100 ms ago.
    EXPECT_EQ(counters.stall_time, 4s - 2560ms - Playout::stall_threshold);
    EXPECT_EQ(counters.chunks_due - counters.chunks_in_time, chunks_per_unit * (68 - 41));
    play(81, 100);
    EXPECT_EQ(stalls_, 1);
    EXPECT_EQ(counters.chunks_due - counters.chunks_in_time, chunks_per_unit * (68 - 41));
}

TEST_F(PlayoutTest, a_word_of_a_unit_does_not_hide_that_it_was_due)
{
    playout_.begin(0);
    play(0, 40);
    advance(4s);
    ASSERT_EQ(units_.back(), 40U);
    next_sign_ = at(4s); // somebody has it
    advance(4s);
    signed_unit(41);
    next_sign_.reset();
    advance(4s);
    EXPECT_EQ(stalls_, 1);
}

TEST_F(PlayoutTest, a_pause_of_the_source_is_no_stall)
{
    playout_.begin(0);
    play(0, 40);
    for (UnitIndex unit = 100; unit <= 140; ++unit) { // 41 was signed at 5 s
        Duration const now = unit_time * unit;
        clock_.on_munro(at(now + 10ms), unit - 59, utc_at_zero + now.count());
        auto tree = integrity::UnitTree::build(*hasher_, grid_.first_chunk(unit - 59),
                                               chunks_per_unit, chunk_size, media_.front());
        StoredUnit* const stored =
            store_.open(unit - 59, std::move(tree), to_ntp(utc_at_zero + now.count()), {});
        store_.put_all(*stored, media_.front());
        advance(now + 10ms);
    }
    EXPECT_GT(units_.back(), 41U);
    EXPECT_EQ(stalls_, 0);
    EXPECT_EQ(playout_.counters().chunks_due, playout_.counters().chunks_in_time);
}

TEST_F(PlayoutTest, who_searches_can_be_sent_ahead)
{
    playout_.begin(0);
    play(0, 30);
    playout_.skip_to(60);
    EXPECT_LT(playout_.first_wanted(), 60U) << "while it plays nothing is left out";
    signed_unit(31, false);
    clock_.on_munro(at(50ms * 200 + 10ms), 200, utc_at_zero + Duration{50ms * 200}.count());
    advance(10s);
    EXPECT_EQ(playout_.first_wanted(), 32U);
    playout_.skip_to(195);
    EXPECT_EQ(playout_.first_wanted(), 195U);
    playout_.skip_to(190);
    EXPECT_EQ(playout_.first_wanted(), 195U);
    for (UnitIndex unit = 195; unit <= 240; ++unit) {
        signed_unit(unit);
        advance(unit_time * unit + 10ms);
    }
    EXPECT_EQ(units_[31], 200U);
}

TEST_F(PlayoutTest, automatic_latency_starts_at_once_and_rises_with_a_stall)
{
    playout_ = make(std::nullopt);
    playout_.begin(0);
    play(0, 25); // the key frame of unit 0 is 1.25 s old, that of unit 20 0.25 s
    Duration const before = playout_.latency();
    EXPECT_GE(before, Playout::latency_default);
    EXPECT_FALSE(units_.empty());
    UnitIndex const next = units_.back() + 1;
    Duration const due = unit_time * next + 10ms + before;
    store_.find(next)->have = 0; // as if it had not come
    advance(due + 200ms);
    EXPECT_EQ(stalls_, 1);
    store_.put_all(*store_.find(next), media_[next]);
    advance(due + 210ms);
    EXPECT_GE(playout_.latency(), before + 200ms);
    EXPECT_LE(playout_.latency(), Playout::latency_max);
}

TEST_F(PlayoutTest, automatic_latency_comes_down_slowly)
{
    playout_ = make(std::nullopt);
    playout_.begin(0);
    play(0, 40);
    Duration const first = playout_.latency();
    UnitIndex const a_second = 20;
    for (UnitIndex unit = 41; unit < 41 + 30 * a_second; unit += a_second) {
        Duration const before = playout_.latency();
        play(unit, unit + a_second - 1);
        EXPECT_LE(playout_.latency(), before);
        EXPECT_GE(playout_.latency(), before - 50ms) << "a player follows unheard";
    }
    EXPECT_LT(playout_.latency(), first - 200ms);
    EXPECT_GE(playout_.latency(), Playout::latency_min);
}

TEST_F(PlayoutTest, automatic_latency_stays_above_what_the_latest_unit_needs)
{
    playout_ = make(std::nullopt);
    playout_.begin(0);
    UnitIndex const late = 10; // 500 ms
    for (UnitIndex unit = 0; unit < 800; ++unit) {
        signed_unit(unit, unit % 100 != 0);
        if (unit >= late && (unit - late) % 100 == 0) {
            store_.put_all(*store_.find(unit - late), media_[unit - late]);
        }
        advance(unit_time * unit + 10ms);
    }
    EXPECT_EQ(stalls_, 0);
    EXPECT_GE(playout_.latency(), unit_time * late + 200ms);
}

TEST_F(PlayoutTest, a_shorter_way_does_not_make_a_joiner_late)
{
    playout_ = make(std::nullopt);
    playout_.begin(0);
    // From storage units are half a second old.
    for (UnitIndex unit = 0; unit <= 20; ++unit) {
        signed_unit(unit, true, 600ms);
        advance(unit_time * unit + 600ms);
    }
    Duration const before = playout_.latency();
    auto const due = playout_.due(20, store_, clock_, utc_at_zero, std::nullopt);
    signed_unit(40); // the first one of a peer
    advance(unit_time * 32 + 10ms);
    EXPECT_EQ(playout_.latency(), before + 590ms);
    EXPECT_EQ(playout_.due(20, store_, clock_, utc_at_zero, std::nullopt), due);
    EXPECT_EQ(stalls_, 0);
}

TEST_F(PlayoutTest, another_clock_at_the_source_freezes_nothing)
{
    playout_ = make(std::nullopt);
    playout_.begin(0);
    play(0, 40);
    Duration const before = playout_.latency();
    signed_unit(140, true, -3s); // signed three seconds later than it is here
    advance(unit_time * 41);
    EXPECT_EQ(playout_.latency(), before);
}

TEST_F(PlayoutTest, automatic_latency_stays_above_its_floor)
{
    playout_ = make(std::nullopt);
    playout_.set_latency_floor(900ms);
    EXPECT_EQ(playout_.latency(), 900ms);
    playout_.begin(0);
    play(0, 1000);
    EXPECT_EQ(playout_.latency(), 900ms);
    playout_.set_latency_floor(600ms);
    play(1001, 1200);
    EXPECT_EQ(playout_.latency(), 600ms);
}

TEST_F(PlayoutTest, waits_longer_for_peers_little_by_little_and_not_for_ever)
{
    playout_ = make(std::nullopt);
    playout_.begin(0);
    play(0, 40);
    Duration const before = playout_.latency();
    playout_.wait_longer(at(3s));
    playout_.wait_longer(at(3900ms));
    EXPECT_EQ(playout_.latency(), before + 100ms);
    for (Duration now = 4s; now < 100s; now += 100ms) {
        playout_.wait_longer(at(now));
    }
    EXPECT_GE(playout_.latency(), Playout::latency_patient_max);
    EXPECT_LT(playout_.latency(), Playout::latency_patient_max + 100ms);
    playout_ = make(800ms);
    playout_.wait_longer(at(200s));
    EXPECT_EQ(playout_.latency(), 800ms);
}

TEST_F(PlayoutTest, what_is_waited_for_is_kept_for_ten_seconds)
{
    playout_ = make(std::nullopt);
    playout_.begin(0);
    play(0, 430); // it has begun to come down
    Duration const before = playout_.latency();
    playout_.wait_longer(at(unit_time * 431));
    play(431, 629);
    EXPECT_EQ(playout_.latency(), before + 100ms);
    play(630, 680);
    EXPECT_LT(playout_.latency(), before + 100ms);
}

} // namespace
} // namespace ppsp::peer
