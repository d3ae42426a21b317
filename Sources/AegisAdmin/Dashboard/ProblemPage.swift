import AegisAPI

/// A failure as a page.
enum ProblemPage {
    static func reply(_ problem: Problem, principal: Principal?) -> Reply {
        Shell(section: nil, principal: principal).reply(
            problem.title, status: problem.status,
            """
            <div class="problem">\(Shell.mark)<p class="code">\(problem.status)</p>\
            <h1>\(problem.title)</h1><p>\(problem.detail ?? "")</p><p>\(problem.hint ?? "")</p>\
            <p class="muted">Request <code>\(problem.requestID ?? "")</code>, under which the \
            admin's log and audit know it.</p><a class="button" href="/">Overview</a></div>
            """)
    }
}
