#include "peer/shell/ahead_hasher.hpp"
#include "protocol/integrity/openssl_hasher.hpp"

#include <gtest/gtest.h>

#include <thread>

/// A second thread hashes ahead; whatever it does, the hashes are right and nobody waits.
namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t chunk_bytes = 1024;

/// Chunks that lie where datagrams lie: in memory that is used again.
class Batch {
public:
    explicit Batch(std::size_t count, std::size_t size = chunk_bytes) : memory_(count * size)
    {
        for (std::size_t i = 0; i < count; ++i) {
            chunks.push_back(Bytes(memory_).subspan(i * size, size));
        }
    }
    /// Other bytes at the same place.
    void refill(std::uint32_t round)
    {
        for (std::size_t i = 0; i < memory_.size(); ++i) {
            memory_[i] = static_cast<std::uint8_t>((i / chunk_bytes + 1) * (round + 1) + i);
        }
    }
    std::vector<Bytes> chunks;

private:
    ByteVector memory_;
};

TEST(AheadHasher, hashes_are_those_of_the_function)
{
    for (auto const function :
         {wire::HashFunction::sha1, wire::HashFunction::sha224, wire::HashFunction::sha256,
          wire::HashFunction::sha384, wire::HashFunction::sha512}) {
        AheadHasher ahead(function);
        auto const plain = integrity::make_hasher(function);
        ASSERT_EQ(ahead.size(), plain->size());
        Batch batch(64);
        for (std::uint32_t round = 0; round < 200; ++round) {
            batch.refill(round);
            ahead.expect(batch.chunks);
            for (Bytes const chunk : batch.chunks) {
                ASSERT_EQ(ahead.leaf(chunk), plain->leaf(chunk)) << "round " << round;
            }
            auto const left = plain->leaf(batch.chunks[0]);
            auto const right = plain->leaf(batch.chunks[1]);
            ASSERT_EQ(ahead.parent(left, right), plain->parent(left, right));
        }
    }
}

/// Gives the helper time, whatever the machine does meanwhile.
bool helps_within(AheadHasher& ahead, Batch& batch, std::chrono::seconds longest)
{
    auto const end = std::chrono::steady_clock::now() + longest;
    while (std::chrono::steady_clock::now() < end) {
        ahead.expect(batch.chunks);
        std::this_thread::sleep_for(5ms);
        for (Bytes const chunk : batch.chunks) {
            static_cast<void>(ahead.leaf(chunk));
        }
        if (ahead.figures().ahead > 0) {
            return true;
        }
    }
    return false;
}

TEST(AheadHasher, the_helper_has_them_when_they_are_needed)
{
    AheadHasher ahead(wire::HashFunction::sha256);
    Batch batch(64);
    batch.refill(1);
    EXPECT_TRUE(helps_within(ahead, batch, 20s));
}

TEST(AheadHasher, any_order_and_only_some_of_them)
{
    AheadHasher ahead(wire::HashFunction::sha256);
    auto const plain = integrity::make_hasher(wire::HashFunction::sha256);
    Batch batch(64);
    for (std::uint32_t round = 0; round < 300; ++round) {
        batch.refill(round);
        ahead.expect(batch.chunks);
        std::size_t const step = round % 5 + 1;
        for (std::size_t i = 0; i < batch.chunks.size(); i += step) {
            std::size_t const at = round % 2 == 0 ? i : batch.chunks.size() - 1 - i;
            ASSERT_EQ(ahead.leaf(batch.chunks[at]), plain->leaf(batch.chunks[at]));
        }
        ASSERT_EQ(ahead.leaf(batch.chunks[0]), plain->leaf(batch.chunks[0])) << "asked twice";
    }
}

/// The memory of a batch holds other bytes when nothing of it is expected any more.
TEST(AheadHasher, nothing_of_an_earlier_batch_is_believed)
{
    AheadHasher ahead(wire::HashFunction::sha256);
    auto const plain = integrity::make_hasher(wire::HashFunction::sha256);
    Batch batch(64);
    for (std::uint32_t round = 0; round < 50; ++round) {
        batch.refill(2 * round);
        ahead.expect(batch.chunks);
        std::this_thread::sleep_for(1ms);
        ahead.expect({});
        batch.refill(2 * round + 1);
        for (Bytes const chunk : batch.chunks) {
            ASSERT_EQ(ahead.leaf(chunk), plain->leaf(chunk));
        }
    }
}

TEST(AheadHasher, few_chunks_wake_nobody)
{
    AheadHasher ahead(wire::HashFunction::sha256);
    Batch batch(AheadHasher::chunks_min - 1);
    ahead.expect(batch.chunks);
    EXPECT_EQ(ahead.figures().batches, 0U);
    Batch enough(AheadHasher::chunks_min);
    ahead.expect(enough.chunks);
    EXPECT_EQ(ahead.figures().batches, 1U);
    EXPECT_EQ(ahead.figures().expected, AheadHasher::chunks_min);
}

TEST(AheadHasher, a_batch_has_its_limits)
{
    AheadHasher ahead(wire::HashFunction::sha256);
    auto const plain = integrity::make_hasher(wire::HashFunction::sha256);
    Batch many(AheadHasher::chunks_max + 10);
    many.refill(1);
    ahead.expect(many.chunks);
    EXPECT_EQ(ahead.figures().expected, AheadHasher::chunks_max);
    EXPECT_EQ(ahead.leaf(many.chunks.back()), plain->leaf(many.chunks.back()));

    Batch large(10, AheadHasher::chunk_bytes_max + 1);
    large.refill(2);
    ahead.expect(large.chunks);
    EXPECT_EQ(ahead.figures().expected, AheadHasher::chunks_max) << "none of the large ones";
    for (Bytes const chunk : large.chunks) {
        EXPECT_EQ(ahead.leaf(chunk), plain->leaf(chunk));
    }
    EXPECT_EQ(ahead.leaf({}), plain->leaf({}));
}

TEST(AheadHasher, who_brings_nothing_is_left_alone_for_a_while)
{
    AheadHasher ahead(wire::HashFunction::sha256);
    Batch batch(AheadHasher::chunks_min);
    for (std::uint32_t i = 0; i < AheadHasher::trial_batches; ++i) {
        ahead.expect(batch.chunks); // and nobody asks
    }
    EXPECT_EQ(ahead.figures().batches, AheadHasher::trial_batches);
    EXPECT_EQ(ahead.figures().rests, 0U);
    for (std::uint32_t i = 0; i < AheadHasher::rest_batches + 1; ++i) {
        ahead.expect(batch.chunks);
    }
    EXPECT_EQ(ahead.figures().rests, 1U);
    EXPECT_EQ(ahead.figures().batches, AheadHasher::trial_batches);
    ahead.expect(batch.chunks);
    EXPECT_EQ(ahead.figures().batches, AheadHasher::trial_batches + 1) << "then it is tried again";
}

TEST(AheadHasher, what_the_helper_brought_long_ago_does_not_count)
{
    AheadHasher ahead(wire::HashFunction::sha256);
    Batch useful(64);
    ASSERT_TRUE(helps_within(ahead, useful, 20s));
    auto const before = ahead.figures().rests;
    for (int i = 0; i < 8; ++i) {
        ahead.expect(useful.chunks);
        std::this_thread::sleep_for(5ms);
        for (Bytes const chunk : useful.chunks) {
            static_cast<void>(ahead.leaf(chunk));
        }
    }
    Batch useless(AheadHasher::chunks_min);
    for (std::uint32_t i = 0; i < 3 * AheadHasher::trial_batches; ++i) {
        ahead.expect(useless.chunks);
    }
    EXPECT_EQ(ahead.figures().rests, before + 1);
}

/// It ends while its helper has work, has slept, or was never needed.
TEST(AheadHasher, ends_at_any_time)
{
    Batch batch(64);
    for (int i = 0; i < 50; ++i) {
        AheadHasher ahead(wire::HashFunction::sha256);
        for (int round = 0; round < i % 3; ++round) {
            ahead.expect(batch.chunks);
        }
        if (i % 7 == 0) {
            std::this_thread::sleep_for(1ms);
        }
    }
}

} // namespace
} // namespace ppsp::peer
