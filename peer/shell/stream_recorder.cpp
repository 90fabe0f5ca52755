#include "peer/shell/stream_recorder.hpp"

#include "peer/shell/key_state.hpp"
#include "peer/shell/signals.hpp"
#include "protocol/integrity/openssl_hasher.hpp"

#include <ctime>
#include <filesystem>

namespace ppsp::peer {
namespace {

constexpr std::uint32_t chunk_size = RecordingConfig{}.chunk_size;

std::string now_as_name()
{
    std::time_t const now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[32];
    static_cast<void>(std::strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &parts));
    return text;
}

/// A name that nothing has yet: two broadcasts may begin in one second.
std::string free_path(std::filesystem::path const& folder)
{
    std::string const name = now_as_name();
    std::filesystem::path path = folder / (name + ".ts");
    auto const is_taken = [](std::filesystem::path const& file) {
        return std::filesystem::exists(file) || std::filesystem::exists(file.string() + ".part");
    };
    for (int i = 2; is_taken(path); ++i) {
        path = folder / (name + "-" + std::to_string(i) + ".ts");
    }
    return path.string();
}

} // namespace

Result<std::unique_ptr<StreamRecorder>, std::string>
StreamRecorder::open(std::string const& folder, std::vector<TrackerTier> trackers)
{
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!std::filesystem::is_directory(folder)) {
        return failure("cannot record to " + folder + ": it is no folder");
    }
    std::string path = free_path(folder);
    auto file = RecordingFile::create(path + ".part", std::nullopt);
    if (!file) {
        return failure(std::move(file.error()));
    }
    return std::unique_ptr<StreamRecorder>(
        new StreamRecorder(std::move(path), std::move(trackers), *std::move(file)));
}

StreamRecorder::StreamRecorder(std::string path, std::vector<TrackerTier> trackers,
                               std::unique_ptr<RecordingFile> file)
    : path_(std::move(path)), trackers_(std::move(trackers)), file_(std::move(file)),
      hasher_(integrity::make_hasher(wire::HashFunction::sha256)),
      thread_(start_without_signals([this] { work(); }))
{}

StreamRecorder::~StreamRecorder()
{
    end_work();
}

std::string StreamRecorder::error() const
{
    std::lock_guard const lock{mutex_};
    return error_;
}

bool StreamRecorder::add(Bytes chunks)
{
    std::lock_guard const lock{mutex_};
    if (error_.empty() && waiting_bytes_ + chunks.size() > waiting_bytes_max) {
        error_ = "the disk is too slow for " + path_;
    }
    if (!error_.empty()) {
        return false;
    }
    waiting_.emplace_back(chunks.begin(), chunks.end());
    waiting_bytes_ += chunks.size();
    changed_.notify_one();
    return true;
}

void StreamRecorder::work()
{
    std::unique_lock lock{mutex_};
    for (;;) {
        changed_.wait(lock, [this] { return is_over_ || !waiting_.empty(); });
        if (waiting_.empty()) {
            return;
        }
        ByteVector const chunks = std::move(waiting_.front());
        waiting_.pop_front();
        lock.unlock();
        bool const is_kept = keep(chunks);
        lock.lock();
        waiting_bytes_ -= chunks.size();
        if (!is_kept) {
            error_ = leaves_.size() >= integrity::static_chunks_max
                         ? "a recording may have " +
                               std::to_string(integrity::static_chunks_max * chunk_size) + " bytes"
                         : file_->error();
            return;
        }
    }
}

bool StreamRecorder::keep(Bytes chunks)
{
    while (!chunks.empty()) {
        Bytes const chunk = chunks.first(std::min<std::size_t>(chunk_size, chunks.size()));
        if (leaves_.size() >= integrity::static_chunks_max) {
            return false;
        }
        if (!file_->write(leaves_.size() * std::uint64_t{chunk_size}, chunk)) {
            leaves_.resize(static_cast<std::size_t>(file_->kept() / chunk_size));
            return false;
        }
        leaves_.push_back(hasher_->leaf(chunk));
        chunks = chunks.subspan(chunk.size());
    }
    return true;
}

/// What waits is written first.
void StreamRecorder::end_work()
{
    {
        std::lock_guard const lock{mutex_};
        is_over_ = true;
        changed_.notify_one();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

Result<std::optional<StreamRecorder::Recording>, std::string> StreamRecorder::finish()
{
    end_work();
    std::error_code error;
    if (leaves_.empty()) {
        std::filesystem::remove(path_ + ".part", error);
        return std::optional<Recording>{};
    }
    std::uint64_t const length = leaves_.size() * std::uint64_t{chunk_size};
    auto done = file_->finish(length);
    if (done) {
        done = file_->sync();
    }
    if (!done) {
        return failure("the recording " + path_ + ".part is not whole: " + done.error());
    }
    auto const tree = integrity::MerkleTree::from_leaves(*hasher_, leaves_);
    if (!tree) {
        return failure("the recording " + path_ + " has no hash tree");
    }
    Recording recording{path_, {}};
    if (!trackers_.empty()) {
        ChannelLink link;
        integrity::Hash const root = tree->root();
        link.swarm.assign(root.bytes().begin(), root.bytes().end());
        link.trackers = trackers_;
        link.length = length;
        recording.link = format_link(link);
    }
    std::filesystem::rename(path_ + ".part", path_, error);
    if (error) {
        return failure("cannot write " + path_ + ": " + error.message());
    }
    if (!recording.link.empty()) {
        auto const written = write_atomically(path_ + ".link", recording.link + "\n");
        if (!written) {
            return failure(written.error());
        }
    }
    return std::optional{std::move(recording)};
}

} // namespace ppsp::peer
