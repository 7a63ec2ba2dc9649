import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { kubernetesErrors } from './errors.ts';
import type { KubernetesRegistryOptions } from './options.ts';

/** Where Kubernetes puts what a pod needs to know of its service account. */
const FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * What a pod is given by its cluster. The token is read again for each request, since Kubernetes renews it every hour.
 *
 * @param folder Of the service account. @default '/var/run/secrets/kubernetes.io/serviceaccount'
 * @throws KUBERNETES_NOT_IN_CLUSTER
 */
export function inCluster(
  folder: string = FOLDER,
): Required<Pick<KubernetesRegistryOptions, 'apiUrl' | 'ca' | 'namespace'>> & { readonly token: () => string } {
  const read = (name: string): string => {
    const path = join(folder, name);
    try {
      return readFileSync(path, 'utf8').trim();
    } catch (cause) {
      throw kubernetesErrors.NOT_IN_CLUSTER(
        { path, why: (cause as NodeJS.ErrnoException).code ?? 'unknown' },
        { cause },
      );
    }
  };
  const token = () => read('token');
  token();
  return { apiUrl: 'https://kubernetes.default.svc', ca: read('ca.crt'), namespace: read('namespace'), token };
}
