#include "integrity_vectors.hpp"

#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/static_verifier.hpp"

#include <gtest/gtest.h>

namespace ppsp::integrity {
namespace {

using Verdict = StaticVerifier::Verdict;

constexpr std::uint32_t chunk_size = 1024;

bool nothing_known(ChunkRange)
{
    return false;
}

/// Publisher of `length` bytes, and what it sends.
class Source {
public:
    explicit Source(std::size_t length)
        : content(vectors::pattern(length, 0)),
          tree(MerkleTree::from_content(*hasher, chunk_size, content).value())
    {}
    Bytes chunk(std::uint64_t number) const
    {
        Bytes const rest = Bytes(content).subspan(number * chunk_size);
        return rest.first(std::min<std::size_t>(rest.size(), chunk_size));
    }
    std::vector<NodeHash> uncles(std::uint64_t number, Top top) const
    {
        return tree.uncles(ChunkId{number}, top, nothing_known);
    }
    std::vector<NodeHash> peaks_and_uncles(std::uint64_t number) const
    {
        auto list = tree.peaks();
        auto const more = uncles(number, Top::peak);
        list.insert(list.end(), more.begin(), more.end());
        return list;
    }
    StaticVerifier receiver_with_metadata() const
    {
        return StaticVerifier::from_length(*hasher, tree.root(), chunk_size, content.size())
            .value();
    }
    StaticVerifier receiver_with_peaks(std::vector<NodeHash> const& peaks) const
    {
        return StaticVerifier::from_peaks(*hasher, tree.root(), chunk_size, peaks).value();
    }
    Verdict deliver(StaticVerifier& receiver, std::uint64_t number,
                    std::vector<NodeHash> const& hashes) const
    {
        return receiver.verify(*hasher, ChunkId{number}, chunk(number), hashes);
    }
    NodeHash node(std::uint64_t bin) const { return {chunks_of(Bin{bin}), tree.node(Bin{bin})}; }

    std::shared_ptr<Hasher> hasher = make_hasher(wire::HashFunction::sha256);
    ByteVector content;
    MerkleTree tree;
};

TEST(Ppspp, S5_6_2_b_the_example_of_the_rfc)
{
    Source const source(7162);
    ASSERT_EQ(source.peaks_and_uncles(0).size(), 5U);
    auto receiver = source.receiver_with_peaks(source.peaks_and_uncles(0));
    EXPECT_EQ(receiver.shape().chunk_count(), 7U);
    EXPECT_EQ(receiver.peaks(), source.tree.peaks());
    EXPECT_FALSE(receiver.content_length().has_value());
    EXPECT_EQ(source.deliver(receiver, 0, source.peaks_and_uncles(0)), Verdict::verified);
    EXPECT_EQ(source.deliver(receiver, 6, {}), Verdict::verified);
    EXPECT_EQ(receiver.content_length(), 7162U);
}

TEST(Ppspp, S5_6_2_b_wrong_peaks_are_refused)
{
    Source const source(7162);
    auto const from = [&](std::vector<NodeHash> const& peaks, std::uint32_t size = chunk_size) {
        auto const result =
            StaticVerifier::from_peaks(*source.hasher, source.tree.root(), size, peaks);
        return result ? std::nullopt : std::optional(result.error());
    };
    auto const peaks = source.tree.peaks();
    EXPECT_EQ(from(peaks), std::nullopt);
    EXPECT_EQ(from({}), SizeError::no_peaks);
    EXPECT_EQ(from({peaks[1], peaks[2]}), SizeError::no_peaks);
    EXPECT_EQ(from({peaks[0], peaks[1]}), SizeError::peaks_mismatch);
    EXPECT_EQ(from({peaks[0]}), SizeError::peaks_mismatch);
    EXPECT_EQ(from({peaks[0], peaks[2], peaks[1]}), SizeError::peaks_mismatch);
    for (std::size_t i = 0; i < peaks.size(); ++i) {
        auto forged = peaks;
        forged[i].hash = source.node(0).hash;
        EXPECT_EQ(from(forged), SizeError::peaks_mismatch);
        forged[i].hash = Hash::zero(32);
        EXPECT_EQ(from(forged), SizeError::peaks_mismatch);
        forged[i].hash = Hash::zero(20);
        EXPECT_EQ(from(forged), SizeError::peaks_mismatch);
    }
    ChunkRange const too_many{ChunkId{0}, ChunkId{2 * static_chunks_max - 1}};
    EXPECT_EQ(from({{too_many, source.tree.root()}}), SizeError::bad_size);
    ChunkRange const everything{ChunkId{0}, ChunkId{~std::uint64_t{0}}};
    EXPECT_EQ(from({{everything, source.tree.root()}}), SizeError::no_peaks);
    ChunkRange const reversed{ChunkId{0}, ChunkId{0} - 1};
    EXPECT_EQ(from({{reversed, source.tree.root()}}), SizeError::no_peaks);
    EXPECT_EQ(from(peaks, 0), SizeError::bad_chunk_size);
    EXPECT_EQ(from(peaks, wire::chunk_size_variable), SizeError::bad_chunk_size);
    EXPECT_EQ(from(peaks, 64), SizeError::bad_chunk_size);
}

TEST(Ppspp, S5_6_2_b_peaks_get_narrower)
{
    // The two leaves lead to the root as well, but they are no peaks: node 1 is.
    Source const source(2 * chunk_size);
    EXPECT_EQ(leading_peaks(std::vector{source.node(0), source.node(2)}).size(), 1U);
    EXPECT_EQ(StaticVerifier::from_peaks(*source.hasher, source.tree.root(), chunk_size,
                                         std::vector{source.node(0), source.node(2)})
                  .error(),
              SizeError::peaks_mismatch);
}

TEST(StaticVerifier, a_zero_peak_stands_for_no_chunk)
{
    // Six chunks: a seventh of zero hash would lead to the same root.
    Source const source(6 * chunk_size);
    auto peaks = source.tree.peaks();
    peaks.push_back({single(ChunkId{6}), Hash::zero(32)});
    EXPECT_EQ(
        StaticVerifier::from_peaks(*source.hasher, source.tree.root(), chunk_size, peaks).error(),
        SizeError::peaks_mismatch);
}

TEST(StaticVerifier, metadata_of_no_content)
{
    Source const source(1024);
    auto const from = [&](Hash const& root, std::uint32_t size, std::uint64_t length) {
        return StaticVerifier::from_length(*source.hasher, root, size, length).error();
    };
    Hash const root = source.tree.root();
    EXPECT_EQ(from(root, chunk_size, 0), SizeError::bad_size);
    EXPECT_EQ(from(root, chunk_size, static_chunks_max * chunk_size + 1), SizeError::bad_size);
    EXPECT_EQ(from(root, 0, 1024), SizeError::bad_chunk_size);
    EXPECT_EQ(from(root, wire::chunk_size_variable, 1024), SizeError::bad_chunk_size);
    EXPECT_EQ(from(Hash::zero(32), chunk_size, 1024), SizeError::bad_root);
    EXPECT_EQ(from(Hash(root.bytes().first(20)), chunk_size, 1024), SizeError::bad_root);
    EXPECT_TRUE(
        StaticVerifier::from_chunk_count(*source.hasher, root, chunk_size, static_chunks_max));
}

TEST(StaticVerifier, the_largest_content_takes_memory_as_it_comes)
{
    // One filled chunk path in a tree of the largest size.
    auto const hasher = make_hasher(wire::HashFunction::sha256);
    ByteVector const payload = vectors::pattern(chunk_size, 4);
    ChunkId const chunk{static_chunks_max / 3};
    std::vector<NodeHash> uncles;
    Hash hash = hasher->leaf(payload);
    Bin const root = TreeShape(static_chunks_max).root();
    for (Bin bin = make_bin(0, to_number(chunk)); bin != root; bin = parent_of(bin)) {
        Bin const sibling = sibling_of(bin);
        uncles.push_back({chunks_of(sibling), hasher->leaf(as_bytes("x"))});
        hash = sibling < bin ? hasher->parent(uncles.back().hash, hash)
                             : hasher->parent(hash, uncles.back().hash);
    }
    auto receiver =
        StaticVerifier::from_chunk_count(*hasher, hash, chunk_size, static_chunks_max).value();
    EXPECT_EQ(receiver.verify(*hasher, chunk, payload, uncles), Verdict::verified);
}

class Receivers : public testing::TestWithParam<std::size_t> {};

INSTANTIATE_TEST_SUITE_P(Lengths, Receivers,
                         testing::Values(1, 13, 1024, 1025, 2048, 3000, 4096, 7162, 9 * 1024,
                                         16 * 1024, 16 * 1024 + 1));

TEST_P(Receivers, S5_2_a_in_order_with_minimal_lists)
{
    Source const source(GetParam());
    for (Top const top : {Top::peak, Top::root}) {
        auto receiver = top == Top::peak ? source.receiver_with_peaks(source.tree.peaks())
                                         : source.receiver_with_metadata();
        for (std::uint64_t i = 0; i < source.tree.shape().chunk_count(); ++i) {
            auto const uncles = source.tree.uncles(
                ChunkId{i}, top, [&](ChunkRange range) { return range.first < ChunkId{i}; });
            ASSERT_EQ(source.deliver(receiver, i, uncles), Verdict::verified) << i;
        }
        EXPECT_EQ(receiver.content_length(), GetParam());
        EXPECT_EQ(receiver.peaks(), source.tree.peaks());
    }
}

TEST_P(Receivers, peaks_help_a_receiver_with_metadata)
{
    Source const source(GetParam());
    auto receiver = source.receiver_with_metadata();
    std::uint64_t const last = source.tree.shape().chunk_count() - 1;
    EXPECT_EQ(source.deliver(receiver, last, source.peaks_and_uncles(last)), Verdict::verified);
    EXPECT_EQ(source.deliver(receiver, 0, source.uncles(0, Top::peak)), Verdict::verified);
    EXPECT_EQ(receiver.uncles(ChunkId{0}, Top::peak, nothing_known), source.uncles(0, Top::peak));
    EXPECT_EQ(receiver.uncles(ChunkId{0}, Top::root, nothing_known), source.uncles(0, Top::root));
}

TEST(StaticVerifier, missing_and_forged_hashes)
{
    Source const source(7162);
    auto receiver = source.receiver_with_metadata();
    EXPECT_EQ(source.deliver(receiver, 2, {}), Verdict::missing_hash);
    auto const uncles = source.uncles(2, Top::root);
    for (std::size_t i = 0; i < uncles.size(); ++i) {
        auto some = uncles;
        some[i].hash = source.node(8).hash;
        EXPECT_EQ(source.deliver(receiver, 2, some), Verdict::mismatch);
        some.erase(some.begin() + static_cast<std::ptrdiff_t>(i));
        EXPECT_EQ(source.deliver(receiver, 2, some), Verdict::missing_hash);
    }
    auto forged_peaks = source.peaks_and_uncles(2);
    forged_peaks[1].hash = source.node(0).hash;
    EXPECT_EQ(source.deliver(receiver, 2, forged_peaks), Verdict::mismatch);
    EXPECT_FALSE(receiver.knows(ChunkId{2}));
    EXPECT_FALSE(receiver.peaks().has_value());
    EXPECT_EQ(source.deliver(receiver, 2, uncles), Verdict::verified);
    EXPECT_TRUE(receiver.knows(ChunkId{2}));
    EXPECT_TRUE(receiver.knows(ChunkId{3}));
    EXPECT_FALSE(receiver.knows(ChunkId{0}));
    EXPECT_FALSE(receiver.knows(ChunkId{7}));
}

TEST(StaticVerifier, T15_lengths)
{
    Source const source(7162);
    auto receiver = source.receiver_with_metadata();
    auto const verify = [&](std::uint64_t number, std::size_t length) {
        return receiver.verify(*source.hasher, ChunkId{number}, ByteVector(length), {});
    };
    EXPECT_EQ(verify(0, 1023), Verdict::not_content);
    EXPECT_EQ(verify(0, 1025), Verdict::not_content);
    EXPECT_EQ(verify(0, 0), Verdict::not_content);
    EXPECT_EQ(verify(6, 1024), Verdict::not_content); // metadata says 1018
    EXPECT_EQ(verify(6, 1017), Verdict::not_content);
    EXPECT_EQ(verify(7, 1018), Verdict::not_content);
    EXPECT_EQ(verify(7, 1024), Verdict::not_content);
    EXPECT_EQ(verify(8, 1024), Verdict::not_content);
    EXPECT_EQ(verify(~std::uint64_t{0}, 1024), Verdict::not_content);
    EXPECT_EQ(verify(~std::uint64_t{0}, 1018), Verdict::not_content);
    EXPECT_EQ(verify(0, 1024), Verdict::missing_hash);
}

class LevelConfusion : public testing::Test {
protected:
    boost::json::value attack = vectors::load("merkle.json").at("level_confusion");
    Source source{2048};
    ByteVector fake = vectors::bytes(attack.at("fake_chunk"));
    std::vector<NodeHash> fake_peaks{{single(ChunkId{0}), source.tree.root()}};
};

TEST_F(LevelConfusion, T15_metadata_tells_the_level)
{
    ASSERT_EQ(source.tree.root(), vectors::hash(attack.at("root")));
    ASSERT_EQ(source.hasher->leaf(fake), source.tree.root());
    for (bool const length_known : {false, true}) {
        auto receiver = length_known ? source.receiver_with_metadata()
                                     : StaticVerifier::from_chunk_count(
                                           *source.hasher, source.tree.root(), chunk_size, 2)
                                           .value();
        EXPECT_EQ(receiver.verify(*source.hasher, ChunkId{0}, fake, fake_peaks),
                  Verdict::not_content);
        EXPECT_EQ(receiver.adopt_peaks(*source.hasher, fake_peaks).error(),
                  SizeError::contradiction);
        EXPECT_EQ(source.deliver(receiver, 0, source.peaks_and_uncles(0)), Verdict::verified);
    }
}

TEST_F(LevelConfusion, T15_without_metadata_a_chunk_proves_the_level)
{
    // The root alone passes the check of peaks; what it stands for does not pass as a chunk.
    auto receiver = source.receiver_with_peaks(fake_peaks);
    EXPECT_EQ(receiver.verify(*source.hasher, ChunkId{0}, fake, fake_peaks),
              Verdict::height_unproven);
    EXPECT_FALSE(receiver.content_length().has_value());
    // Honest peaks come later and win; then the size stays.
    ASSERT_TRUE(receiver.adopt_peaks(*source.hasher, source.tree.peaks()));
    EXPECT_EQ(source.deliver(receiver, 0, source.uncles(0, Top::peak)), Verdict::verified);
    EXPECT_EQ(receiver.adopt_peaks(*source.hasher, fake_peaks).error(), SizeError::contradiction);
    EXPECT_EQ(receiver.verify(*source.hasher, ChunkId{0}, fake, fake_peaks), Verdict::not_content);
    EXPECT_EQ(receiver.shape().chunk_count(), 2U);
}

TEST(StaticVerifier, T15_a_last_chunk_as_long_as_two_hashes_waits_for_another)
{
    Source const source(2 * chunk_size + 64);
    auto receiver = source.receiver_with_peaks(source.tree.peaks());
    EXPECT_EQ(source.deliver(receiver, 2, {}), Verdict::height_unproven);
    EXPECT_EQ(source.deliver(receiver, 0, source.uncles(0, Top::peak)), Verdict::verified);
    EXPECT_EQ(source.deliver(receiver, 2, {}), Verdict::verified);
    EXPECT_EQ(receiver.content_length(), source.content.size());
}

TEST(StaticVerifier, a_claim_of_too_many_chunks_is_corrected)
{
    // Five chunks; nodes 3 and 9 also pass as the peaks of six, node 7 as the peak of eight.
    Source const source(5 * chunk_size);
    for (auto const& claim :
         {std::vector{source.node(3), source.node(9)}, std::vector{source.node(7)}}) {
        auto receiver = source.receiver_with_peaks(claim);
        EXPECT_GT(receiver.shape().chunk_count(), 5U);
        EXPECT_EQ(source.deliver(receiver, 1, source.uncles(1, Top::root)), Verdict::verified);
        ASSERT_TRUE(receiver.adopt_peaks(*source.hasher, source.peaks_and_uncles(1)));
        EXPECT_EQ(receiver.shape().chunk_count(), 5U);
        EXPECT_TRUE(receiver.knows(ChunkId{1}));
        EXPECT_EQ(receiver.adopt_peaks(*source.hasher, claim).error(), SizeError::contradiction);
        EXPECT_EQ(source.deliver(receiver, 4, {}), Verdict::verified);
        EXPECT_EQ(receiver.content_length(), source.content.size());
    }
}

TEST(StaticVerifier, the_last_chunk_may_come_while_too_many_are_claimed)
{
    Source const source(5 * chunk_size);
    auto receiver = source.receiver_with_peaks(std::vector{source.node(7)}); // eight
    EXPECT_EQ(source.deliver(receiver, 4, source.uncles(4, Top::root)), Verdict::verified);
    EXPECT_FALSE(receiver.content_length().has_value());
    ASSERT_TRUE(receiver.adopt_peaks(*source.hasher, source.peaks_and_uncles(4)));
    EXPECT_EQ(receiver.content_length(), source.content.size());
}

TEST(StaticVerifier, adopting_what_is_no_claim)
{
    Source const source(7162);
    auto receiver = source.receiver_with_peaks(source.tree.peaks());
    EXPECT_EQ(receiver.adopt_peaks(*source.hasher, {}).error(), SizeError::no_peaks);
    EXPECT_EQ(receiver.adopt_peaks(*source.hasher, std::vector{source.node(3)}).error(),
              SizeError::peaks_mismatch);
    ChunkRange const too_many{ChunkId{0}, ChunkId{2 * static_chunks_max - 1}};
    EXPECT_EQ(receiver.adopt_peaks(*source.hasher, std::vector{NodeHash{too_many, Hash::zero(32)}})
                  .error(),
              SizeError::bad_size);
    EXPECT_TRUE(receiver.adopt_peaks(*source.hasher, source.tree.peaks()));
    EXPECT_EQ(receiver.shape().chunk_count(), 7U);
}

} // namespace
} // namespace ppsp::integrity
