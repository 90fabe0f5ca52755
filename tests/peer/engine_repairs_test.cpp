#include "protocol/wire/datagram.hpp"
#include "tests/support/virtual_swarm.hpp"
#include "tests/support/wire.hpp"

#include <gtest/gtest.h>

/// Whole engines: what is sent again when datagrams of a push get lost.
namespace ppsp::test {
namespace {

constexpr Duration way = 20ms;
constexpr int never = 1'000'000;

class Repairs : public testing::Test {
protected:
    explicit Repairs(Duration unit_duration = 50ms)
        : source_(swarm_.add_source(small_units(unit_duration))), viewer_(swarm_.add_viewer(3s))
    {
        swarm_.faults.delay = way;
        swarm_.introduce(viewer_);
        swarm_.run_for(10s);
    }

    [[nodiscard]] static VirtualSwarm::SourceOptions small_units(Duration duration)
    {
        VirtualSwarm::SourceOptions options;
        options.unit_duration = duration;
        options.chunks_per_unit = 8;
        return options;
    }
    /// Whether a datagram carries such a message.
    template <typename Message>
    [[nodiscard]] static bool carries(ByteVector const& bytes)
    {
        wire::SwarmFormat format;
        format.signature_size = 64;
        auto const reading = read_all(bytes, format);
        return std::ranges::any_of(reading.messages, [](wire::Message const& message) {
            return std::holds_alternative<Message>(message);
        });
    }
    /// Every so manieth datagram with DATA for the viewer gets lost, and of those with its ACKs.
    void lose_every(int data, int acks)
    {
        swarm_.meddle = [this, data, acks](Endpoint from, Endpoint, ByteVector& bytes) {
            if (from == source_.endpoint && carries<wire::Data>(bytes)) {
                return ++data_ % data != 0;
            }
            return from == source_.endpoint || !carries<wire::Ack>(bytes) || ++acks_ % acks != 0;
        };
    }
    /// Media that comes twice in some seconds, and all of it, bytes.
    struct Traffic {
        std::uint64_t twice;
        std::uint64_t all;
    };
    Traffic traffic(Duration time)
    {
        auto const before = swarm_.figures(viewer_);
        swarm_.run_for(time);
        auto const after = swarm_.figures(viewer_);
        return {after.duplicate_bytes - before.duplicate_bytes,
                after.from_source_bytes - before.from_source_bytes};
    }

    VirtualSwarm swarm_{1};
    VirtualNode& source_;
    VirtualNode& viewer_;
    int data_ = 0;
    int acks_ = 0;
};

/// A missing chunk ends the interval that an ACK names: what lies before it is not named again.
TEST_F(Repairs, what_only_lost_its_acknowledgement_is_not_sent_again)
{
    lose_every(100, 4);
    Traffic const t = traffic(40s);
    ASSERT_GT(acks_, 1000);
    EXPECT_LT(t.twice, t.all / 100);
}

TEST_F(Repairs, what_was_lost_is_asked_for_and_comes_once)
{
    lose_every(100, never);
    Traffic const t = traffic(40s);
    ASSERT_GT(data_, 6000);
    EXPECT_LT(t.twice, t.all / 1000);
    EXPECT_EQ(swarm_.figures(viewer_).stalls, 0U);
    EXPECT_EQ(swarm_.figures(viewer_).skipped_units, 0U);
}

/// Units as far apart as those of one substream are from each other.
class RareUnits : public Repairs {
protected:
    RareUnits() : Repairs(400ms) {}
};

TEST_F(RareUnits, the_next_unit_tells_what_became_of_the_last_chunk_of_the_one_before)
{
    lose_every(never, 3);
    Traffic const t = traffic(60s);
    ASSERT_GT(acks_, 150);
    EXPECT_LT(t.twice, t.all / 1000);
}

} // namespace
} // namespace ppsp::test
