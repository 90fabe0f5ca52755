#include "protocol/base/rng.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/integrity/static_verifier.hpp"
#include "protocol/integrity/unit_tree.hpp"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <set>

namespace ppsp::integrity {
namespace {

constexpr std::uint32_t chunk_size = 16; // shorter than two hashes: no level confusion

/// Slow model: every hash is computed anew from the leaves, by the words of RFC 7574 §5.1.
class Model {
public:
    Model(std::uint64_t chunk_count, std::uint64_t seed) : content(chunk_count * chunk_size)
    {
        Rng rng(seed);
        for (auto& byte : content) {
            byte = static_cast<std::uint8_t>(rng.below(256));
        }
    }
    Bytes chunk(std::uint64_t number) const
    {
        return Bytes(content).subspan(number * chunk_size, chunk_size);
    }
    std::uint64_t chunk_count() const { return content.size() / chunk_size; }
    std::uint64_t width() const
    {
        std::uint64_t width = 1;
        while (width < chunk_count()) {
            width *= 2;
        }
        return width;
    }
    /// Hash of the node above the chunks [first, first + width).
    Hash node(std::uint64_t first, std::uint64_t width) const
    {
        if (width == 1) {
            return first < chunk_count() ? hasher->leaf(chunk(first)) : Hash::zero(hasher->size());
        }
        Hash const left = node(first, width / 2);
        Hash const right = node(first + width / 2, width / 2);
        if (left.is_zero() && right.is_zero()) {
            return left;
        }
        return hasher->digest(left.bytes(), right.bytes());
    }
    Hash root() const { return node(0, width()); }
    /// Siblings of all nodes from the chunk up to the root, highest first.
    std::vector<NodeHash> path(std::uint64_t number, std::uint64_t offset = 0) const
    {
        std::vector<NodeHash> list;
        for (std::uint64_t size = width(); size > 1; size /= 2) {
            std::uint64_t const first = number / size * size;
            bool const is_left = number < first + size / 2;
            std::uint64_t const sibling = is_left ? first + size / 2 : first;
            list.push_back({{ChunkId{offset + sibling}, ChunkId{offset + sibling + size / 2 - 1}},
                            node(sibling, size / 2)});
        }
        return list;
    }

    std::shared_ptr<Hasher> hasher = make_hasher(wire::HashFunction::sha256);
    ByteVector content;
};

std::vector<std::uint64_t> shuffled(std::uint64_t count, Rng& rng)
{
    std::vector<std::uint64_t> order(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        order[i] = i;
    }
    rng.shuffle(std::span(order));
    return order;
}

/// Flips a bit of one hash; there must be one.
void corrupt(std::vector<NodeHash>& hashes, Rng& rng)
{
    auto& victim = hashes[rng.below(hashes.size())];
    ByteVector bytes(victim.hash.bytes().begin(), victim.hash.bytes().end());
    bytes[rng.below(bytes.size())] ^= static_cast<std::uint8_t>(1U << rng.below(8));
    victim.hash = Hash(bytes);
}

RC_GTEST_PROP(UnitTreeProperty, random_arrival_with_forgeries_in_between,
              (std::uint64_t seed, std::uint8_t depth, bool minimal))
{
    Rng rng(seed);
    std::uint64_t const width = std::uint64_t{1} << (depth % 7);
    ChunkId const first{width * rng.below(1000)};
    Model const model(width, seed);
    auto& hasher = *model.hasher;
    auto const source = UnitTree::build(hasher, first, static_cast<std::uint32_t>(width),
                                        chunk_size, model.content);
    RC_ASSERT(source.munro() == model.root());
    UnitTree receiver(first, static_cast<std::uint32_t>(width), model.root());
    std::set<ChunkId> delivered;
    for (std::uint64_t const number : shuffled(width, rng)) {
        ChunkId const chunk = first + number;
        auto const all = model.path(number, to_number(first));
        auto const known = [&](ChunkRange range) {
            auto const found = delivered.lower_bound(range.first);
            return minimal && found != delivered.end() && *found <= range.last;
        };
        auto const uncles = source.uncles(chunk, known);
        RC_ASSERT(minimal || uncles == all);

        // A forged chunk with true hashes.
        Hash const forged = hasher.leaf(as_bytes("forged"));
        RC_ASSERT(receiver.verify(hasher, chunk, forged, all) == UnitTree::Verdict::mismatch);
        // The true chunk with a forged hash that is needed.
        if (!receiver.knows(chunk) && !uncles.empty()) {
            auto wrong = uncles;
            corrupt(wrong, rng);
            auto const verdict =
                receiver.verify(hasher, chunk, hasher.leaf(model.chunk(number)), wrong);
            // Above what the receiver knows nothing is looked at; a minimal list has no such hash.
            if (verdict == UnitTree::Verdict::verified) {
                RC_ASSERT(!minimal);
            } else {
                RC_ASSERT(verdict == UnitTree::Verdict::mismatch);
                RC_ASSERT(!receiver.knows(chunk));
            }
        }
        if (!receiver.knows(chunk) && minimal) {
            auto fewer = uncles;
            fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(rng.below(fewer.size())));
            RC_ASSERT(receiver.verify(hasher, chunk, hasher.leaf(model.chunk(number)), fewer) ==
                      UnitTree::Verdict::missing_hash);
            RC_ASSERT(!receiver.knows(chunk));
        }
        RC_ASSERT(receiver.verify(hasher, chunk, hasher.leaf(model.chunk(number)), uncles) ==
                  UnitTree::Verdict::verified);
        delivered.insert(chunk);
        RC_ASSERT(receiver.uncles(chunk, [](ChunkRange) { return false; }) == all);
    }
}

RC_GTEST_PROP(MerkleTreeProperty, nodes_equal_the_model, (std::uint64_t seed, std::uint16_t size))
{
    Model const model(1 + size % 70, seed);
    auto const tree = MerkleTree::from_content(*model.hasher, chunk_size, model.content).value();
    RC_ASSERT(tree.root() == model.root());
    for (std::uint64_t number = 0; number < model.chunk_count(); ++number) {
        auto const nothing = [](ChunkRange) { return false; };
        auto const path = model.path(number);
        RC_ASSERT(tree.uncles(ChunkId{number}, Top::root, nothing) == path);
        // The peak is reached where everything below is content.
        auto const to_peak = tree.uncles(ChunkId{number}, Top::peak, nothing);
        auto const peaks = tree.peaks();
        auto const peak = std::find_if(peaks.begin(), peaks.end(), [&](NodeHash const& node) {
            return node.chunks.contains(ChunkId{number});
        });
        RC_ASSERT(peak != peaks.end());
        RC_ASSERT(peak->hash == model.node(to_number(peak->chunks.first), peak->chunks.count()));
        RC_ASSERT(to_peak ==
                  std::vector<NodeHash>(path.end() - static_cast<std::ptrdiff_t>(to_peak.size()),
                                        path.end()));
        RC_ASSERT((std::uint64_t{1} << to_peak.size()) == peak->chunks.count());
    }
}

RC_GTEST_PROP(StaticVerifierProperty, random_arrival_with_forgeries_in_between,
              (std::uint64_t seed, std::uint16_t size, bool metadata, bool minimal))
{
    Rng rng(seed);
    Model const model(1 + size % 70, seed);
    auto& hasher = *model.hasher;
    auto const tree = MerkleTree::from_content(hasher, chunk_size, model.content).value();
    auto receiver =
        metadata
            ? StaticVerifier::from_length(hasher, model.root(), chunk_size, model.content.size())
                  .value()
            : StaticVerifier::from_peaks(hasher, model.root(), chunk_size, tree.peaks()).value();
    std::set<ChunkId> delivered;
    for (std::uint64_t const number : shuffled(model.chunk_count(), rng)) {
        ChunkId const chunk{number};
        auto const known = [&](ChunkRange range) {
            auto const found = delivered.lower_bound(range.first);
            return minimal && found != delivered.end() && *found <= range.last;
        };
        auto const uncles = tree.uncles(chunk, metadata ? Top::root : Top::peak, known);
        RC_ASSERT(receiver.verify(hasher, chunk, as_bytes("forged forged fo"),
                                  model.path(number)) == StaticVerifier::Verdict::mismatch);
        if (!receiver.knows(chunk) && !uncles.empty()) {
            auto wrong = uncles;
            corrupt(wrong, rng);
            auto const verdict = receiver.verify(hasher, chunk, model.chunk(number), wrong);
            // A forged hash that the receiver knows better is not looked at.
            if (verdict == StaticVerifier::Verdict::verified) {
                RC_ASSERT(metadata || !minimal);
            } else {
                RC_ASSERT(verdict == StaticVerifier::Verdict::mismatch);
                RC_ASSERT(!receiver.knows(chunk));
            }
        }
        RC_ASSERT(receiver.verify(hasher, chunk, model.chunk(number), uncles) ==
                  StaticVerifier::Verdict::verified);
        delivered.insert(chunk);
        RC_ASSERT(receiver.uncles(chunk, Top::root, [](ChunkRange) { return false; }) ==
                  model.path(number));
    }
    RC_ASSERT(receiver.content_length() == model.content.size());
    RC_ASSERT(receiver.peaks() == tree.peaks());
}

// Any list of hashes whatever: no crash, and no size but those that RFC 7574 §5.6 allows.
RC_GTEST_PROP(StaticVerifierProperty, peaks_of_any_shape, (std::uint64_t seed, std::uint16_t size))
{
    Rng rng(seed);
    Model const model(1 + size % 70, seed);
    auto& hasher = *model.hasher;
    auto const tree = MerkleTree::from_content(hasher, chunk_size, model.content).value();
    auto claim = tree.peaks();
    for (std::uint64_t i = rng.below(4); i > 0; --i) {
        std::uint64_t const height = rng.below(tree.shape().height() + 1);
        std::uint64_t const offset = rng.below(model.width() >> height);
        Bin const bin = make_bin(static_cast<unsigned>(height), offset);
        auto const position = static_cast<std::ptrdiff_t>(rng.below(claim.size() + 1));
        if (rng.chance(0.5) || position == static_cast<std::ptrdiff_t>(claim.size())) {
            claim.insert(claim.begin() + position, {chunks_of(bin), tree.node(bin)});
        } else {
            claim[static_cast<std::size_t>(position)] = {chunks_of(bin), tree.node(bin)};
        }
    }
    auto const receiver = StaticVerifier::from_peaks(hasher, tree.root(), chunk_size, claim);
    if (!receiver) {
        return;
    }
    // Nodes are true ones, so less than everything never passes.
    RC_ASSERT(receiver->shape().chunk_count() >= model.chunk_count() ||
              receiver->shape().height() < tree.shape().height());
}

} // namespace
} // namespace ppsp::integrity
