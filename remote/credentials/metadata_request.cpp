#include "remote/credentials/metadata_request.h"

namespace cairn {

Result<HttpAnswer> send_briefly(HttpTransport& transport, HttpRequest request, std::chrono::milliseconds timeout,
                                const RequestContext& context) {
  constexpr uint64_t kMaxAnswerBytes = 64 << 10;
  request.max_answer_bytes = kMaxAnswerBytes;
  auto answer = transport.send(request, context.no_longer_than(timeout));
  const bool timed_out = !answer && answer.error().code() == Errc::deadline_exceeded && context.remaining().count() > 0;
  if (timed_out)
    return fail(Errc::unavailable, "no answer within {} s", std::chrono::duration<double>(timeout).count());
  return answer;
}

bool is_passing_fault(int status) { return status == 429 || status >= 500; }

}  // namespace cairn
