#include "protocol/integrity/static_verifier.hpp"

#include "protocol/wire/options.hpp"

#include <algorithm>

namespace ppsp::integrity {

namespace {

using Nodes = std::vector<std::pair<Bin, Hash>>;

std::optional<SizeError> check_format(std::size_t hash_size, Hash const& root,
                                      std::uint32_t chunk_size)
{
    if (root.size() != hash_size || root.is_zero()) {
        return SizeError::bad_root;
    }
    if (chunk_size == 0 || chunk_size == wire::chunk_size_variable) {
        return SizeError::bad_chunk_size;
    }
    return std::nullopt;
}

std::optional<TreeShape> shape_of(std::span<NodeHash const> peaks)
{
    if (peaks.empty() || to_number(peaks.back().chunks.last) >= static_chunks_max) {
        return std::nullopt;
    }
    return TreeShape(to_number(peaks.back().chunks.last) + 1);
}

/// The peaks and what follows from them up to the root (lemma of RFC 7574 §5.6.1): right of the
/// last peak all is zero, and each left sibling on its way up is the next peak.
Nodes climb_from_peaks(Hasher& hasher, TreeShape const& shape, std::span<NodeHash const> peaks)
{
    Nodes nodes;
    std::size_t left = peaks.size() - 1;
    Bin bin = *bin_of(peaks[left].chunks);
    Hash hash = peaks[left].hash;
    nodes.emplace_back(bin, hash);
    while (bin != shape.root()) {
        if (shape.is_empty(sibling_of(bin))) {
            hash = hasher.parent(hash, Hash::zero(hash.size()));
        } else {
            --left;
            nodes.emplace_back(sibling_of(bin), peaks[left].hash);
            hash = hasher.parent(peaks[left].hash, hash);
        }
        bin = parent_of(bin);
        nodes.emplace_back(bin, hash);
    }
    return nodes;
}

} // namespace

std::span<NodeHash const> leading_peaks(std::span<NodeHash const> offered)
{
    std::size_t count = 0;
    ChunkId next{0};
    std::uint64_t width = ~std::uint64_t{0};
    for (NodeHash const& node : offered) {
        if (node.chunks.first != next || node.chunks.count() >= width || !bin_of(node.chunks)) {
            break;
        }
        width = node.chunks.count();
        next = node.chunks.last + 1;
        ++count;
    }
    return offered.first(count);
}

Result<StaticVerifier, SizeError> StaticVerifier::from_chunk_count(Hasher const& hasher,
                                                                   Hash const& root,
                                                                   std::uint32_t chunk_size,
                                                                   std::uint64_t chunk_count)
{
    if (auto const error = check_format(hasher.size(), root, chunk_size)) {
        return failure(*error);
    }
    if (chunk_count == 0 || chunk_count > static_chunks_max) {
        return failure(SizeError::bad_size);
    }
    return StaticVerifier(root, chunk_size, TreeShape(chunk_count), true);
}

Result<StaticVerifier, SizeError> StaticVerifier::from_length(Hasher const& hasher,
                                                              Hash const& root,
                                                              std::uint32_t chunk_size,
                                                              std::uint64_t length)
{
    std::uint64_t const divisor = std::max<std::uint64_t>(chunk_size, 1);
    std::uint64_t const tail = length % divisor;
    auto verifier =
        from_chunk_count(hasher, root, chunk_size, length / divisor + (tail != 0 ? 1 : 0));
    if (verifier) {
        verifier->last_chunk_size_ = tail != 0 ? tail : chunk_size;
    }
    return verifier;
}

Result<StaticVerifier, SizeError> StaticVerifier::from_peaks(Hasher& hasher, Hash const& root,
                                                             std::uint32_t chunk_size,
                                                             std::span<NodeHash const> offered)
{
    if (auto const error = check_format(hasher.size(), root, chunk_size)) {
        return failure(*error);
    }
    if (chunk_size == 2 * hasher.size()) {
        return failure(SizeError::bad_chunk_size);
    }
    auto const peaks = leading_peaks(offered);
    if (peaks.empty()) {
        return failure(SizeError::no_peaks);
    }
    auto const shape = shape_of(peaks);
    if (!shape) {
        return failure(SizeError::bad_size);
    }
    StaticVerifier verifier(root, chunk_size, *shape, false);
    if (!verifier.learn_peaks(hasher, peaks)) {
        return failure(SizeError::peaks_mismatch);
    }
    return verifier;
}

StaticVerifier::StaticVerifier(Hash const& root, std::uint32_t chunk_size, TreeShape shape,
                               bool trusted)
    : nodes_(shape, root.size()), chunk_size_(chunk_size), trusted_(trusted)
{
    nodes_.set(shape.root(), root);
}

StaticVerifier::Verdict StaticVerifier::verify(Hasher& hasher, ChunkId chunk, Bytes payload,
                                               std::span<NodeHash const> offered)
{
    if (auto const verdict = check_length(chunk, payload.size()); verdict != Verdict::verified) {
        return verdict;
    }
    if (!peaks_known_) {
        auto const peaks = leading_peaks(offered);
        auto const shape = shape_of(peaks);
        // A row of another size is no contradiction yet: it may be the start of an uncle list.
        if (shape && shape->chunk_count() == this->shape().chunk_count() &&
            !learn_peaks(hasher, peaks)) {
            return Verdict::mismatch;
        }
    }
    Verdict const verdict = climb(hasher, chunk, hasher.leaf(payload), offered);
    if (verdict == Verdict::verified) {
        highest_verified_ = std::max(highest_verified_.value_or(chunk), chunk);
        if (chunk == shape().last()) {
            last_chunk_size_ = payload.size();
        }
    }
    return verdict;
}

StaticVerifier::Verdict StaticVerifier::check_length(ChunkId chunk, std::size_t length) const
{
    if (chunk > shape().last() || length == 0 || length > chunk_size_) {
        return Verdict::not_content;
    }
    bool const is_last = chunk == shape().last();
    if (is_last ? length != last_chunk_size_.value_or(length) : length != chunk_size_) {
        return Verdict::not_content;
    }
    bool const height_proven = trusted_ || highest_verified_.has_value();
    if (!height_proven && length == 2 * nodes_.hash_size()) {
        return Verdict::height_unproven;
    }
    return Verdict::verified;
}

StaticVerifier::Verdict StaticVerifier::climb(Hasher& hasher, ChunkId chunk, Hash hash,
                                              std::span<NodeHash const> offered)
{
    learned_.clear();
    Bin bin = make_bin(0, to_number(chunk));
    while (!nodes_.has(bin)) {
        Bin const sibling = sibling_of(bin);
        Hash sibling_hash;
        if (nodes_.has(sibling)) {
            sibling_hash = nodes_.get(sibling);
        } else if (auto const* found = find_hash(offered, chunks_of(sibling), hash.size())) {
            sibling_hash = *found;
            learned_.emplace_back(sibling, sibling_hash);
        } else {
            return Verdict::missing_hash;
        }
        learned_.emplace_back(bin, hash);
        bool const is_left = chunks_of(bin).first < chunks_of(sibling).first;
        hash = is_left ? hasher.parent(hash, sibling_hash) : hasher.parent(sibling_hash, hash);
        bin = parent_of(bin);
    }
    if (hash != nodes_.get(bin)) {
        return Verdict::mismatch;
    }
    for (auto const& [node, node_hash] : learned_) {
        nodes_.set(node, node_hash);
    }
    return Verdict::verified;
}

/// The peaks must make up this shape.
bool StaticVerifier::learn_peaks(Hasher& hasher, std::span<NodeHash const> peaks)
{
    // Filled nodes are never zero; such a "peak" would stand for chunks that do not exist.
    bool const are_hashes = std::all_of(peaks.begin(), peaks.end(), [&](NodeHash const& peak) {
        return peak.hash.size() == nodes_.hash_size() && !peak.hash.is_zero();
    });
    if (!are_hashes) {
        return false;
    }
    Nodes const nodes = climb_from_peaks(hasher, shape(), peaks);
    if (nodes.back().second != root()) {
        return false;
    }
    for (auto const& [bin, hash] : nodes) {
        nodes_.set(bin, hash);
    }
    peaks_known_ = true;
    return true;
}

Result<void, SizeError> StaticVerifier::adopt_peaks(Hasher& hasher,
                                                    std::span<NodeHash const> offered)
{
    auto const peaks = leading_peaks(offered);
    if (peaks.empty()) {
        return failure(SizeError::no_peaks);
    }
    auto const claimed = shape_of(peaks);
    if (!claimed) {
        return failure(SizeError::bad_size);
    }
    if (!may_become(*claimed)) {
        return failure(SizeError::contradiction);
    }
    StaticVerifier candidate(root(), chunk_size_, *claimed, trusted_);
    if (!candidate.learn_peaks(hasher, peaks)) {
        return failure(SizeError::peaks_mismatch);
    }
    if (!trusted_ && !highest_verified_) {
        *this = std::move(candidate);
        return {};
    }
    nodes_.shrink(*claimed);
    if (highest_verified_ == claimed->last()) {
        last_chunk_size_ = chunk_size_; // it was verified as one in the middle
    }
    PPSP_ASSERT(learn_peaks(hasher, peaks));
    return {};
}

bool StaticVerifier::may_become(TreeShape claimed) const
{
    if (claimed.chunk_count() == shape().chunk_count()) {
        return true;
    }
    if (trusted_) {
        return false;
    }
    // The first verified chunk proved the height; within it, honest peaks never claim more than
    // checked ones do, as the nodes right of these are zero.
    return !highest_verified_ ||
           (claimed.height() == shape().height() && claimed.chunk_count() < shape().chunk_count() &&
            *highest_verified_ <= claimed.last());
}

std::optional<std::uint64_t> StaticVerifier::content_length() const
{
    if (!last_chunk_size_) {
        return std::nullopt;
    }
    return (shape().chunk_count() - 1) * chunk_size_ + *last_chunk_size_;
}

bool StaticVerifier::knows(ChunkId chunk) const
{
    return chunk <= shape().last() && nodes_.has(make_bin(0, to_number(chunk)));
}

} // namespace ppsp::integrity
