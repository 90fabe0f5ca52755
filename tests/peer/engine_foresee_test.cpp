#include "protocol/wire/datagram.hpp"
#include "tests/support/recording_world.hpp"

#include <gtest/gtest.h>

/// The engine tells a hasher ahead which chunks it will be asked for.
namespace ppsp::peer {
namespace {

using namespace std::chrono_literals;
using test::random_content;
using test::RecordingNode;
using test::RecordingWorld;

struct Foreseen {
    std::size_t max = 64;
    std::uint64_t calls = 0;    ///< of `expect`
    std::uint64_t expected = 0; ///< chunks
    std::uint64_t met = 0;      ///< hashes of just those
    std::uint64_t missed = 0;   ///< hashes of other chunks
};

/// Notes what it is told, and hashes when it is asked.
class NotingHasher final : public integrity::Hasher {
public:
    NotingHasher(wire::HashFunction function, Foreseen& noted)
        : own_(integrity::make_hasher(function)), noted_(noted)
    {}
    [[nodiscard]] std::size_t size() const override { return own_->size(); }
    [[nodiscard]] std::size_t ahead_max() const override { return noted_.max; }
    void expect(std::span<Bytes const> chunks) override
    {
        chunks_.assign(chunks.begin(), chunks.end());
        noted_.expected += chunks.size();
        ++noted_.calls;
    }
    [[nodiscard]] integrity::Hash digest(Bytes first, Bytes second) override
    {
        if (second.empty()) {
            bool const is_met = std::any_of(chunks_.begin(), chunks_.end(), [&](Bytes chunk) {
                return chunk.data() == first.data() && chunk.size() == first.size();
            });
            ++(is_met ? noted_.met : noted_.missed);
        }
        return own_->digest(first, second);
    }

private:
    std::unique_ptr<integrity::Hasher> own_;
    Foreseen& noted_;
    std::vector<Bytes> chunks_;
};

Foreseen fetch_and_note(RecordingWorld::Options options, std::size_t max)
{
    Foreseen noted{.max = max};
    options.make_hasher = [&noted](wire::HashFunction function) {
        return std::make_unique<NotingHasher>(function, noted);
    };
    RecordingWorld world(random_content(1'000'000), options);
    world.add_seed();
    RecordingNode& leecher = world.add_leecher();
    world.introduce(leecher);
    EXPECT_TRUE(world.run_until_whole(20s));
    EXPECT_TRUE(world.is_whole(leecher));
    return noted;
}

/// 976 whole chunks and a short one. The first ones come in datagrams with a whole list of hashes
/// and may have waited for others.
TEST(Foresee, nearly_all_whole_chunks_are_told_before_they_are_hashed)
{
    for (auto const addressing : {wire::AddressingMode::chunk32, wire::AddressingMode::chunk64}) {
        Foreseen const noted = fetch_and_note({.addressing = addressing}, 64);
        EXPECT_GE(noted.met, 970U);
        EXPECT_LE(noted.missed, 7U);
        EXPECT_EQ(noted.met + noted.missed, 977U);
        EXPECT_LE(noted.expected, 980U) << "what is not hashed is rarely told";
    }
}

TEST(Foresee, who_takes_nothing_ahead_is_told_nothing)
{
    Foreseen const noted = fetch_and_note({}, 0);
    EXPECT_EQ(noted.expected, 0U);
    EXPECT_EQ(noted.missed, 977U);
}

/// Datagrams of a leecher's conversation, made by hand.
struct ForeseeBatch : testing::Test {
    void SetUp() override
    {
        options.make_hasher = [this](wire::HashFunction function) {
            return std::make_unique<NotingHasher>(function, noted);
        };
        world.emplace(random_content(100'000), options);
        seed = &world->add_seed();
        leecher = &world->add_leecher();
        world->meddle = [this](Endpoint from, Endpoint, ByteVector& bytes) {
            if (from == seed->node.endpoint) {
                of_seed.push_back(bytes);
            }
            return true;
        };
        world->introduce(*leecher);
        world->run_for(1s);
        std::erase_if(of_seed, [](ByteVector const& bytes) { return bytes.size() < 1024; });
        ASSERT_GE(of_seed.size(), 90U);
        noted.expected = 0;
    }
    void foresee(Endpoint from, std::span<ByteVector const> datagrams)
    {
        std::vector<DatagramReceived> batch;
        for (ByteVector const& bytes : datagrams) {
            batch.push_back({from, bytes});
        }
        leecher->node.engine.foresee(batch);
    }

    RecordingWorld::Options options;
    Foreseen noted;
    std::optional<RecordingWorld> world;
    RecordingNode* seed = nullptr;
    RecordingNode* leecher = nullptr;
    std::vector<ByteVector> of_seed; ///< with a chunk each
};

TEST_F(ForeseeBatch, no_more_are_told_than_are_taken)
{
    foresee(seed->node.endpoint, of_seed);
    EXPECT_EQ(noted.expected, 64U);
    noted.expected = 0;
    foresee(seed->node.endpoint, std::span(of_seed).first(10));
    EXPECT_EQ(noted.expected, 10U);
}

/// Its chunks of an earlier batch lie in memory that holds something else now.
TEST_F(ForeseeBatch, a_recording_that_nothing_came_for_is_told_that_nothing_is_expected)
{
    Foreseen noted_of_other;
    NotingHasher hasher(wire::HashFunction::sha256, noted_of_other);
    test::MemoryBytes bytes;
    RecordingConfig other = world->config();
    other.id = ByteVector(32, 7);
    other.length = 5000;
    world->handle(*leecher, JoinRecording{other, &bytes, &hasher});
    foresee(seed->node.endpoint, of_seed);
    EXPECT_EQ(noted_of_other.calls, 1U);
    EXPECT_EQ(noted_of_other.expected, 0U);
    auto const before = noted.calls;
    foresee(Endpoint::v4(0x0a0000ff, 6778), of_seed);
    EXPECT_EQ(noted.calls, before + 1);
    EXPECT_EQ(noted_of_other.calls, 2U);
}

TEST_F(ForeseeBatch, strangers_and_torn_datagrams_are_nobodys_work)
{
    foresee(Endpoint::v4(0x0a0000ff, 6778), of_seed);
    EXPECT_EQ(noted.expected, 0U) << "not the address of the conversation";
    std::vector<ByteVector> torn;
    for (std::size_t size = 0; size < of_seed.front().size(); ++size) {
        torn.emplace_back(of_seed.front().begin(),
                          of_seed.front().begin() + static_cast<std::ptrdiff_t>(size));
    }
    foresee(seed->node.endpoint, torn);
    EXPECT_LE(noted.expected, 8U) << "some byte may look like the type of DATA";
}

} // namespace
} // namespace ppsp::peer
