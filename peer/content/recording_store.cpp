#include "peer/content/recording_store.hpp"

#include "protocol/base/assert.hpp"

namespace ppsp::peer {

using integrity::MerkleTree;
using integrity::StaticVerifier;

RecordingStore::RecordingStore(std::shared_ptr<MerkleTree const> tree, std::uint32_t chunk_size,
                               std::uint64_t length, RecordingBytes& bytes)
    : chunk_size_(chunk_size), bytes_(&bytes), root_(tree->root()), peaks_(tree->peaks()),
      bytes_held_(length)
{
    PPSP_ASSERT(tree->shape().chunk_count() == (length + chunk_size - 1) / chunk_size);
    have_.add(tree->shape().chunks());
    hashes_ = std::move(tree);
}

RecordingStore::RecordingStore(integrity::Hasher const& hasher, integrity::Hash const& root,
                               std::uint32_t chunk_size, std::optional<std::uint64_t> length,
                               RecordingBytes& bytes)
    : chunk_size_(chunk_size), bytes_(&bytes), root_(root)
{
    if (!length) {
        return;
    }
    if (auto verifier = StaticVerifier::from_length(hasher, root, chunk_size, *length)) {
        hashes_ = *std::move(verifier);
    }
}

RecordingStore::Verdict RecordingStore::add(integrity::Hasher& hasher, ChunkId chunk, Bytes payload,
                                            std::span<integrity::NodeHash const> offered)
{
    if (has(chunk)) {
        return Verdict::had_it;
    }
    auto* const verifier = std::get_if<StaticVerifier>(&hashes_);
    if (verifier == nullptr) {
        return Verdict::unknown_size;
    }
    switch (verifier->verify(hasher, chunk, payload, offered)) {
    case StaticVerifier::Verdict::verified:
        break;
    case StaticVerifier::Verdict::missing_hash:
    case StaticVerifier::Verdict::height_unproven:
        return Verdict::missing_hash;
    case StaticVerifier::Verdict::mismatch:
    case StaticVerifier::Verdict::not_content:
        return Verdict::wrong;
    }
    if (!bytes_->write(to_number(chunk) * chunk_size_, payload)) {
        return Verdict::not_kept;
    }
    have_.add(single(chunk));
    bytes_held_ += payload.size();
    learn_peaks();
    return Verdict::added;
}

void RecordingStore::learn_peaks()
{
    auto const& verifier = std::get<StaticVerifier>(hashes_);
    if (peaks_.empty() || peaks_.back().chunks.last != verifier.shape().last()) {
        peaks_ = verifier.peaks().value_or(std::vector<integrity::NodeHash>{});
    }
}

bool RecordingStore::offer_peaks(integrity::Hasher& hasher,
                                 std::span<integrity::NodeHash const> offered)
{
    if (auto* const verifier = std::get_if<StaticVerifier>(&hashes_)) {
        if (!verifier->adopt_peaks(hasher, offered)) {
            return false;
        }
        learn_peaks();
        return true;
    }
    if (std::holds_alternative<Tree>(hashes_)) {
        return true;
    }
    auto verifier = StaticVerifier::from_peaks(hasher, root_, chunk_size_, offered);
    if (!verifier) {
        return false;
    }
    hashes_ = *std::move(verifier);
    learn_peaks();
    return true;
}

std::optional<std::uint64_t> RecordingStore::chunk_count() const
{
    if (auto const* tree = std::get_if<Tree>(&hashes_)) {
        return (*tree)->shape().chunk_count();
    }
    if (auto const* verifier = std::get_if<StaticVerifier>(&hashes_)) {
        return verifier->shape().chunk_count();
    }
    return std::nullopt;
}

std::optional<std::uint64_t> RecordingStore::length() const
{
    if (std::holds_alternative<Tree>(hashes_)) {
        return bytes_held_;
    }
    auto const* const verifier = std::get_if<StaticVerifier>(&hashes_);
    return verifier == nullptr ? std::nullopt : verifier->content_length();
}

bool RecordingStore::is_whole() const
{
    auto const count = chunk_count();
    return count && have_.contains(ChunkRange{ChunkId{0}, ChunkId{*count - 1}});
}

Bytes RecordingStore::chunk(ChunkId chunk) const
{
    PPSP_ASSERT(has(chunk));
    std::uint64_t const offset = to_number(chunk) * chunk_size_;
    auto const whole = length();
    std::size_t const size =
        whole ? static_cast<std::size_t>(std::min<std::uint64_t>(chunk_size_, *whole - offset))
              : chunk_size_;
    return bytes_->read(offset, size);
}

} // namespace ppsp::peer
