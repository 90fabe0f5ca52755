#include "peer/shell/recording_session.hpp"

#include "peer/shell/ahead_hasher.hpp"
#include "peer/shell/own_addresses.hpp"
#include "protocol/integrity/openssl_hasher.hpp"
#include "protocol/wire/datagram.hpp"

#include <algorithm>
#include <filesystem>

namespace ppsp::peer {
namespace {

constexpr std::uint32_t chunk_size = RecordingConfig{}.chunk_size;

/// By the size of the root (RFC 7574 §7.6).
wire::HashFunction function_of(SwarmId const& root)
{
    for (auto const function : {wire::HashFunction::sha1, wire::HashFunction::sha224,
                                wire::HashFunction::sha384, wire::HashFunction::sha512}) {
        if (wire::hash_size(function) == root.size()) {
            return function;
        }
    }
    return wire::HashFunction::sha256;
}

} // namespace

struct RecordingSession::Parts {
    [[nodiscard]] Result<void, std::string>
    begin(Options options, std::shared_ptr<integrity::MerkleTree const> const& tree);

    ChannelLink link;
    std::string path; ///< empty = of this run only
    std::unique_ptr<integrity::Hasher> hasher;
    std::unique_ptr<RecordingFile> file;
    std::mutex mutex;
    std::string refusal;
    /// Goes before `file`, which its engine uses to the end.
    std::unique_ptr<SwarmSession> session;
    bool is_stopped = false;
    bool is_finished = false;
    Progress last;

    /// A part file with nothing in it is of no use to anybody.
    ~Parts()
    {
        if (!path.empty() && !is_finished && last.held == 0) {
            std::error_code ignored;
            std::filesystem::remove(path + ".part", ignored);
        }
    }
};

Result<void, std::string>
RecordingSession::Parts::begin(Options options,
                               std::shared_ptr<integrity::MerkleTree const> const& tree)
{
    SwarmSession::Options session_options;
    session_options.link = link;
    session_options.node = options.node;
    session_options.on_message = options.on_message;
    session_options.on_refused = [this](std::string const& sentence) {
        std::lock_guard const lock{mutex};
        refusal = sentence;
    };
    auto opened = SwarmSession::open(std::move(session_options));
    if (!opened) {
        return failure(std::move(opened.error()));
    }
    session = *std::move(opened);
    JoinRecording join;
    join.config.id = link.swarm;
    join.config.hash_function = function_of(link.swarm);
    join.config.chunk_size = chunk_size;
    join.config.length = link.length;
    join.bytes = file.get();
    join.hasher = hasher.get();
    join.tree = tree;
    session->node().ask([&] { session->join(join); });
    return {};
}

Result<std::unique_ptr<RecordingSession>, std::string>
RecordingSession::seed(std::string const& path, Options options,
                       std::function<bool(std::uint64_t, std::uint64_t)> const& on_progress)
{
    auto parts = std::make_unique<Parts>();
    auto file = RecordingFile::open(path);
    if (!file) {
        return failure(std::move(file.error()));
    }
    parts->file = *std::move(file);
    parts->hasher = integrity::make_hasher(options.hash_function);
    std::uint64_t const size = parts->file->size();
    auto tree = hash_recording(*parts->file, *parts->hasher, chunk_size,
                               [&](std::uint64_t done) { return on_progress(done, size); });
    if (!tree) {
        return failure(std::move(tree.error()));
    }
    parts->link = options.link;
    integrity::Hash const root = (*tree)->root();
    parts->link.swarm.assign(root.bytes().begin(), root.bytes().end());
    parts->link.length = size;
    if (auto const begun = parts->begin(std::move(options), *tree); !begun) {
        return failure(begun.error());
    }
    if (parts->link.trackers.empty()) {
        auto const own = own_addresses(parts->session->node().local_endpoint(), {});
        parts->link.peers = {{own.front().address_text(), own.front().port()}};
    }
    return std::unique_ptr<RecordingSession>(new RecordingSession(std::move(parts)));
}

Result<std::unique_ptr<RecordingSession>, std::string>
RecordingSession::fetch(std::string const& path, Options options)
{
    auto parts = std::make_unique<Parts>();
    parts->link = options.link;
    parts->path = path;
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) {
        return failure("cannot write " + path + ": it is a folder");
    }
    auto file = path.empty() ? RecordingFile::temporary(options.link.length)
                             : RecordingFile::create(path + ".part", options.link.length);
    if (!file) {
        return failure(std::move(file.error()));
    }
    parts->file = *std::move(file);
    parts->hasher = make_arrivals_hasher(function_of(parts->link.swarm));
    if (auto const begun = parts->begin(std::move(options), nullptr); !begun) {
        return failure(begun.error());
    }
    return std::unique_ptr<RecordingSession>(new RecordingSession(std::move(parts)));
}

RecordingSession::RecordingSession(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

RecordingSession::~RecordingSession()
{
    stop();
}

std::string RecordingSession::link() const
{
    return format_link(parts_->link);
}

std::string RecordingSession::swarm() const
{
    return to_hex(parts_->link.swarm);
}

std::string RecordingSession::udp_address() const
{
    return parts_->session->node().local_endpoint().text();
}

RecordingSession::Progress RecordingSession::progress()
{
    if (parts_->is_stopped) {
        return parts_->last;
    }
    auto const figures = parts_->session->statistics();
    Progress progress{figures.content_length, figures.content_bytes, figures.neighbours, {}};
    progress.error =
        parts_->session->node().ask([parts = parts_.get()] { return parts->file->error(); });
    std::lock_guard const lock{parts_->mutex};
    if (progress.error.empty() && !progress.is_whole()) {
        progress.error = parts_->refusal;
    }
    return progress;
}

void RecordingSession::play_from(std::optional<std::uint64_t> position)
{
    auto& node = parts_->session->node();
    node.post([parts = parts_.get(), &node, position] {
        node.handle(PlayFrom{parts->link.swarm, position});
    });
}

ByteVector RecordingSession::read(std::uint64_t position, std::size_t size)
{
    auto& node = parts_->session->node();
    return node.ask([parts = parts_.get(), &node, position, size] {
        auto const held = node.engine().held_from(parts->link.swarm, position);
        auto const count = static_cast<std::size_t>(std::min<std::uint64_t>(held, size));
        Bytes const bytes = count == 0 ? Bytes{} : parts->file->read(position, count);
        return ByteVector(bytes.begin(), bytes.end());
    });
}

Result<void, std::string> RecordingSession::finish()
{
    Parts* const parts = parts_.get();
    std::uint64_t const length = progress().length.value_or(0);
    auto finished = parts->session->node().ask([&] { return parts->file->finish(length); });
    if (!finished || parts->path.empty()) {
        return finished;
    }
    // A disk may take its time for that; the node goes on meanwhile.
    if (auto const kept = parts->file->sync(); !kept) {
        return failure(kept.error());
    }
    std::error_code error;
    std::filesystem::rename(parts->path + ".part", parts->path, error);
    if (error) {
        return failure("cannot write " + parts->path + ": " + error.message());
    }
    parts->is_finished = true;
    return {};
}

std::string RecordingSession::statistics_json()
{
    return parts_->session->statistics_json();
}

TrackerProgress RecordingSession::tracker_progress()
{
    return parts_->session->tracker_progress();
}

void RecordingSession::stop()
{
    if (!parts_->is_stopped) {
        parts_->last = progress();
        parts_->session->stop();
        parts_->is_stopped = true;
    }
}

} // namespace ppsp::peer
