/** What a guess at a password was refused for. */
const tooMuch = {
  'too many attempts': '尝试次数过多',
  'this account was changed very often': '此账户的更改过于频繁',
  'this account has acted very often': '此账户的操作过于频繁',
  'too many wrong passwords': '密码错误次数过多',
  'too many wrong codes': '验证码错误次数过多',
  'too many processes are being looked into': '正在查看的进程过多',
  'too many passwords are being checked just now': '正在验证的密码过多',
  'too many different views are open': '打开的不同视图过多',
  'there are too many live connections': '实时连接过多',
  'this session has too many live connections': '此会话的实时连接过多',
}

/** What to do about a word that looks like a field. */
const hint = {
  'put the word in quotes to look for it as text': '若要按文本搜索，请加引号',
  'put an address like this one in quotes': '此类地址请加引号',
}

const access = {
  'sign in first': '请先登录',
  'you signed out in another window': '您已在其他窗口退出登录',
  'you signed in anew in another window': '您已在其他窗口重新登录',
  'you ended this session from another one': '您已从其他会话结束此会话',
  'an administrator ended your session': '管理员结束了您的会话',
  'you have many sessions: the one that was used longest ago ended':
    '您的会话过多，最久未使用的会话已被结束',
  'your role was changed': '您的角色已更改',
  'your password was changed': '您的密码已修改',
  'your second factor was set up or removed': '您的双重验证已启用或移除',
  'your account was changed': '您的账户已更改',
  'your account was removed': '您的账户已删除',
  'the clock of the server was set': '服务器的时钟被调整',
  'a session lasts %d hours at most': '会话最长持续 {1} 小时',
  'your session was not used for %d minutes': '会话已有 {1} 分钟未使用',
  'username and password are needed': '需要用户名和密码',
  'the user name or the password is wrong': '用户名或密码不正确',
  'wrong user name or password': '用户名或密码错误',
  'password is needed': '需要密码',
  'the password is wrong': '密码错误',
  'the current password is wrong': '当前密码错误',
  'give your password again to do this': '此操作需要再次输入密码',
  'the head of this request can be read in more ways than one': '此请求的头部可以有多种解读',
  'your role, %s, may not do this': '您的角色（{1:role}）无权执行此操作',
  'your role, %s, may not watch %s': '您的角色（{1:role}）无权查看 {2:w}',
  '%s: try again in %d %s': '{1:tooMuch}，请在 {2} {3:unit}后重试',
  'sign-in refused: %s': '登录被拒绝：{1~said}',
  '%d sign-ins refused within a minute; the last: %s':
    '一分钟内 {1} 次登录被拒绝；最近一次：{2~said}',
  '%d sign-ins refused within an hour; the last: %s':
    '一小时内 {1} 次登录被拒绝；最近一次：{2~said}',
  'once within an hour, after many before, from %s: %s':
    '此前已有很多次，一小时内又有 1 次，来自 {1:w}：{2~said}',
  '%d times within an hour, after many before; the last from %s: %s':
    '此前已有很多次，一小时内又有 {1} 次；最近一次来自 {2:w}：{3~said}',
  'an act was refused: there were very many': '操作被拒绝：操作过于频繁',
  'password check refused: %s': '密码确认被拒绝：{1~said}',
  '%d password checks refused within a minute; the last: %s':
    '一分钟内 {1} 次密码确认被拒绝；最近一次：{2~said}',
  'wrong password': '密码错误',
  'signed in as %s': '以{1:role}身份登录',
  'signed out': '已退出登录',
  'the environment of process %d (%s) was read': '已查看进程 {1}（{2}）的环境变量',
  'all of the log was exported': '已导出全部日志',
  'a part of the log was exported': '已导出部分日志',
  'gave the password again': '已再次验证密码',
  'a session of %s was ended': '{1:w} 的一个会话已被结束',
  'there is no such session; it may have ended': '没有该会话，可能已经结束',
  'topdeck was set up; %s is its first administrator': 'topdeck 已完成初始化；{1:w} 是第一个管理员',
  'set-up: %s': '初始化：{1~said}',
  'topdeck is set up already: sign in': 'topdeck 已完成初始化，请登录',
  'topdeck is not set up yet: open the set-up URL that it told when it started, or run topdeck user add NAME --role admin':
    'topdeck 尚未初始化：请打开其启动时输出的初始化链接，或执行 “topdeck user add 用户名 --role admin”',
  'the time for set-up is over: restart topdeck for a new set-up URL, or run topdeck user add NAME --role admin':
    '初始化链接已过期：请重启 topdeck 获取新链接，或执行 “topdeck user add 用户名 --role admin”',
  'the set-up token is wrong: open the set-up URL exactly as topdeck told it':
    '初始化令牌错误：请完整打开 topdeck 输出的初始化链接',
  'added with the role %s': '已添加，角色为{1:role}',
  'role changed from %s to %s': '角色由{1:role}改为{2:role}',
  'password changed': '密码已修改',
  removed: '已删除',
  'there is already a user %s': '用户 {1:w} 已存在',
  'there is no user %q': '没有用户 {1}',
  'this is the last administrator; make another one first': '这是最后一个管理员，请先添加另一个',
  'a user name must begin with a-z or _ and have at most 32 of a-z, 0-9, _, . and -':
    '用户名须以 a-z 或 _ 开头，只含 a-z、0-9、_、. 和 -，最多 32 个字符',
  'a password must have %d to %d characters': '密码须为 {1} 至 {2} 个字符',
  'role must be admin, operator or viewer': '角色须为 admin、operator 或 viewer',
  'nothing to change: give role, password or both': '没有要修改的内容：请给出角色、密码或两者',
  'currentPassword is needed to change your own password': '修改自己的密码需要当前密码',
  'currentPassword goes with your own new password only':
    '只有修改自己的密码时才需要 currentPassword',
}

const requests = {
  'something went wrong in the server; its log tells more': '服务器内部出错，原因见其日志',
  'the host cannot be read now; try again': '暂时无法读取主机信息，请重试',
  'this server does not answer to that Host; use localhost, the address it listens on, or the address given with --public-url':
    '此服务器不接受该 Host；请使用 localhost、其监听地址或 --public-url 指定的地址',
  'this needs an Origin header that names this server: %s': '需要指向此服务器的 Origin 标头：{1}',
  'this was sent by a page of another origin, and would be recorded as an act of yours':
    '请求来自其他来源的页面，若执行会被记录为您的操作',
  'this was sent by a page of another origin; only %s may':
    '请求来自其他来源的页面，只允许来自 {1} 的请求',
  'Content-Type must be application/json': 'Content-Type 须为 application/json',
  'there is nothing at this path for this method': '此路径不支持该方法',
  "the request's body is too large": '请求正文过大',
  "the request's headers are too large": '请求标头过大',
  'the request did not arrive in time': '请求未能按时到达',
  'this path is for WebSocket connections only': '此路径仅用于 WebSocket 连接',
  'cannot read the request: it is not valid HTTP': '无法识别请求：不是有效的 HTTP',
  'the body must not be compressed': '正文不能压缩',
  'the body is larger than %d bytes': '正文超过 {1} 字节',
  'the body did not arrive whole': '正文不完整',
  'the body must be JSON in UTF-8': '正文须为 UTF-8 编码的 JSON',
  'the body must be a JSON object': '正文须为 JSON 对象',
  'the body is not valid JSON: %s': '正文不是有效的 JSON：{1}',
  'the body cannot be read': '无法读取正文',
  'unknown field %q': '未知字段 {1}',
  'field %q is given twice': '字段 {1} 重复',
  'field %q must not be a %s': '字段 {1} 不能是 {2}',
  'number %s': '数字 {1:w}',
  'unknown parameter %q: there are none here': '未知参数 {1}：此处没有参数',
  'unknown parameter %q; there are %s': '未知参数 {1}；可用的参数：{2}',
  'parameter %s is given twice': '参数 {1:w} 重复',
  '%s must be a whole number from 0 on': '{1:w} 须为不小于 0 的整数',
  '%s must be one of %s': '{1:w} 须为以下之一：{2}',
  'cannot sort by %q: the fields here are %s': '无法按 {1} 排序；可用的字段：{2}',
  'order must be asc or desc': 'order 须为 asc 或 desc',
  'limit must not be negative': 'limit 不能为负数',
  'lines must be from 0 to %d': 'lines 须为 0 至 {1}',
  'offer the WebSocket subprotocol %s': '请使用 WebSocket 子协议 {1:w}',
  'Sec-WebSocket-Key must be 16 bytes in base64': 'Sec-WebSocket-Key 须为 base64 编码的 16 字节',
  'a message must be text that holds one JSON object': '消息须为一个 JSON 对象的文本',
  'a message must hold either watch or unwatch': '消息须包含 watch 或 unwatch 之一',
  'a watch needs an id of 1 to %d bytes': '订阅需要 1 至 {1} 字节的 id',
  'there is a watch with this id already': '已有使用该 id 的订阅',
  'there is no watch with this id': '没有使用该 id 的订阅',
  'there are %d watches already; end one first': '已有 {1} 个订阅，请先结束一个',
  'there is no topic %q; topics are summary, processes, sockets, services, failed, journal, output':
    '没有主题 {1}；主题有 summary、processes、sockets、services、failed、journal、output',
  'the topic %s takes no service, lines or operation':
    '主题 {1:w} 不接受 service、lines 或 operation',
  'the topic %s takes no q, sort, order or limit': '主题 {1:w} 不接受 q、sort、order 或 limit',
  'the summary takes no q, sort, order or limit': 'summary 不接受 q、sort、order 或 limit',
  'the failed services take no q, sort, order or limit': '失败的服务不接受 q、sort、order 或 limit',
  'the topic output takes an operation, and nothing else': '主题 output 只接受 operation',
  'the topic journal takes a service and lines, and nothing else':
    '主题 journal 只接受 service 和 lines',
}

const queries = {
  'cannot read the query: it is longer than %d characters': '查询过长，不能超过 {1} 个字符',
  'cannot read the query at character %d: %s': '查询的第 {1} 个字符处有误：{2~said}',
  'this is not UTF-8 text': '不是 UTF-8 文本',
  'more than %d terms': '超过 {1} 个条件',
  'nothing follows the -; put it in quotes to look for it':
    '- 后面没有内容；若要搜索 - 本身，请加引号',
  'a space must follow the closing quote; a quote within quotes is written \\"':
    '结束的引号后须有空格；引号内的引号写作 \\"',
  'the quote is never closed': '引号没有闭合',
  'nothing stands between the quotes': '引号之间没有内容',
  'there is no field %q here (%s); %s': '此处没有字段 {1}（可用：{2}）；{3:hint}',
  'a value must follow %s%s without a space': '{1:w}{2:operator} 之后须紧跟一个值，中间不能有空格',
  '%s is text and cannot be compared; write %s:value':
    '{1:w} 是文本，不能比较大小；请写成 {2:w}:值',
  '%s wants a time such as 2026-01-31 or 2026-01-31T18:00:00Z':
    '{1:w} 需要一个时间，例如 2026-01-31 或 2026-01-31T18:00:00Z',
  '%s wants a number such as %s': '{1:w} 需要一个数字，例如 {2:w}',
}

const factor = {
  'code is needed': '需要验证码',
  'a code of the second factor is needed, or a recovery code': '需要双重验证的验证码或恢复码',
  'wrong code': '验证码错误',
  'the code is wrong, or it was used before': '验证码错误或已使用过',
  "the code is wrong; if it stays so, set the phone's clock and this server's, which says %s":
    '验证码错误；若持续如此，请校准手机和此服务器的时钟，服务器时间为 {1}',
  'a recovery code was used; %d are left': '使用了一个恢复码，还剩 {1} 个',
  'new recovery codes made': '已生成新的恢复码',
  'second factor set up': '已启用双重验证',
  'second factor removed': '已移除双重验证',
  '%s has no second factor': '{1:w} 未启用双重验证',
  'there is a second factor already; turn that off first': '已启用双重验证，请先停用',
  'there is no second factor to turn on: begin with POST %s/second-factor':
    '没有可启用的双重验证：请先请求 POST {1:w}/second-factor',
  'turn your own second factor off with a code of it, on the page of your account':
    '请在账户页面输入验证码，停用您自己的双重验证',
  'set up a second factor first, in the app or with POST %s/second-factor: the role %s may do nothing without one':
    '请先在应用中或通过 POST {1:w}/second-factor 设置双重验证：角色（{2:role}）未启用时不能进行任何操作',
  'cannot draw a QR code: %w': '无法生成二维码：{1~said}',
}

/** What package server says. */
export const server = { tooMuch, hint, access, requests, queries, factor }
